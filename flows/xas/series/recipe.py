"""The typed parameters of the XAS series flow: what its scans were reduced with, unless said."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from flows.xas.recipe import Recipe as ScanRecipe

RECIPE_VERSION = "1"
NO_STANDARDS = "none"
AS_THE_SCANS = "Empty: as the last scan was reduced."


class Recipe(BaseModel):
    """What a person or a beamline may choose about a series of XAS scans.

    What is left empty is as the recipe of the last scan says, so that a beamline says once which
    standards it has. Windows are in eV relative to the edge energy.
    """

    model_config = ConfigDict(extra="forbid", title="XAS series recipe")

    # -- normalisation, of all scans through the same windows
    e0: float | None = Field(default=None, gt=0, title="Edge energy (eV)", description=AS_THE_SCANS)
    pre1: float | None = Field(default=None, title="Pre-edge begin", description=AS_THE_SCANS)
    pre2: float | None = Field(default=None, title="Pre-edge end", description=AS_THE_SCANS)
    norm1: float | None = Field(default=None, title="Post-edge begin", description=AS_THE_SCANS)
    norm2: float | None = Field(default=None, title="Post-edge end", description=AS_THE_SCANS)
    nnorm: int | None = Field(
        default=None, ge=0, le=3, title="Post-edge order", description=AS_THE_SCANS
    )

    # -- linear combination
    standards: str | None = Field(
        default=None,
        title="Standards",
        description="Spectral library whose spectra are fitted to all scans; none: no fit. "
        + AS_THE_SCANS,
    )
    compounds: list[str] | None = Field(
        default=None,
        title="Compounds",
        description="Names in the library that are meant; a list without names: all. "
        + AS_THE_SCANS,
    )
    most_standards: int | None = Field(
        default=None,
        ge=1,
        title="Most standards",
        description="In one combination, the same for all scans. " + AS_THE_SCANS,
    )
    sum_to_one: bool | None = Field(
        default=None,
        title="Sum to one",
        description="The fractions of a fit sum to one. " + AS_THE_SCANS,
    )
    fit_on: Literal["norm", "flat", "derivative"] | None = Field(
        default=None, title="Fit on", description=AS_THE_SCANS
    )
    fit_from: float | None = Field(default=None, title="Fit from", description=AS_THE_SCANS)
    fit_to: float | None = Field(default=None, title="Fit to", description=AS_THE_SCANS)

    # -- without standards
    components: int | None = Field(
        default=None,
        ge=1,
        le=8,
        title="Components",
        description="Into so many the series is resolved without standards (MCR-ALS). Empty: not.",
    )
    groups: int | None = Field(
        default=None,
        ge=2,
        le=20,
        title="Groups",
        description="Into so many groups of like spectra the scans are put. Empty: not.",
    )


OWN = frozenset({"components", "groups"})


def for_scans(recipe: Recipe, told: Mapping[str, Any]) -> ScanRecipe:
    """Return the recipe by which spectra and fits of a series are made.

    Parameters
    ----------
    recipe : Recipe
        Of the series.
    told : mapping
        The recipe of the last scan, perhaps of an earlier version: what it does not have today is
        left out.

    Returns
    -------
    flows.xas.recipe.Recipe
        That of the scan, with what the series says otherwise.
    """
    known = {name: value for name, value in told.items() if name in ScanRecipe.model_fields}
    asked = {
        name: value
        for name, value in recipe.model_dump(exclude=set(OWN)).items()
        if value is not None
    }
    merged = {**known, **asked, "libraries": []}
    if merged.get("standards") == NO_STANDARDS:
        merged["standards"] = None
    return ScanRecipe.model_validate(merged)
