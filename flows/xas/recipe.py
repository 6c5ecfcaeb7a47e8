"""The typed parameters of the XAS flow."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

RECIPE_VERSION = "1"


class Geometry(BaseModel):
    """What the correction of over-absorption needs to know."""

    model_config = ConfigDict(extra="forbid", title="Over-absorption")

    formula: str = Field(title="Formula", description="Of the sample, matrix included: Fe2O3.")
    angle_in: float = Field(
        default=45.0, gt=0, le=90, title="Angle in (°)", description="Of the beam to the surface."
    )
    angle_out: float = Field(
        default=45.0, gt=0, le=90, title="Angle out (°)", description="Of the detector to it."
    )


class Recipe(BaseModel):
    """What a person or a beamline may choose about an XAS reduction.

    Every field has a default that reduces a scan without a person; the beamline's settings
    override the defaults, a rerun overrides both. Windows are in eV relative to the edge energy.
    """

    model_config = ConfigDict(extra="forbid", title="XAS recipe")

    # -- what was measured
    mode: Literal["auto", "transmission", "fluorescence"] = Field(
        default="auto", title="Mode", description="auto: as the data say, else the clearer step."
    )
    element: str | None = Field(
        default=None, title="Element", description="Empty: as the data or the spectrum say."
    )
    edge: str | None = Field(
        default=None, title="Edge", description="K, L3, ... Empty: as the data or the spectrum say."
    )
    dead_time_us: float | None = Field(
        default=None,
        ge=0,
        title="Dead time (µs)",
        description="Of each fluorescence channel, where the data hold no rates. Empty: none.",
    )
    dark: dict[str, float] = Field(
        default_factory=dict,
        title="Dark currents",
        description="Of i0, i1, i2, in their own units, instead of the data's.",
    )

    # -- energy
    reference_element: str | None = Field(
        default=None,
        title="Reference foil",
        description="Element of the foil behind the sample. Empty: as the data say, else the "
        "sample's own.",
    )
    foil_table: Literal["auto", "kraft", "bearden", "elam", "none"] = Field(
        default="auto",
        title="Foil energies",
        description="Whose table of foil energies the energy is calibrated against; auto: the most "
        "accurate one that has the foil; none: the energy stays as it was recorded.",
    )
    align: bool = Field(
        default=True,
        title="Align sweeps",
        description="Shift each sweep so that its reference foil agrees with the others'.",
    )
    energy_shift: float = Field(
        default=0.0, title="Energy shift (eV)", description="Added to every energy, last."
    )
    xanes_step: float | None = Field(
        default=None,
        gt=0,
        title="XANES step (eV)",
        description="Of the grid around the edge. Empty: the edge energy / 25,000.",
    )
    k_step: float = Field(
        default=0.05, gt=0, title="k step (1/Å)", description="Of the grid above the edge."
    )

    # -- sweeps
    deglitch: bool = Field(
        default=True, title="Deglitch", description="Take single bad points out of each sweep."
    )
    reject_sweeps: bool = Field(
        default=True,
        title="Reject sweeps",
        description="Leave out sweeps with a lost beam, another edge step or another shape.",
    )

    # -- normalisation and EXAFS
    e0: float | None = Field(
        default=None, gt=0, title="Edge energy (eV)", description="Empty: the largest derivative."
    )
    pre1: float | None = Field(default=None, title="Pre-edge begin", description="Empty: found.")
    pre2: float | None = Field(default=None, title="Pre-edge end", description="Empty: found.")
    norm1: float | None = Field(default=None, title="Post-edge begin", description="Empty: found.")
    norm2: float | None = Field(default=None, title="Post-edge end", description="Empty: found.")
    nnorm: int | None = Field(
        default=None,
        ge=0,
        le=3,
        title="Post-edge order",
        description="Degree of the polynomial. Empty: by the range.",
    )
    mback: bool = Field(
        default=False,
        title="Match with the tables",
        description="Normalise by the element's tabulated absorption too (MBACK), as a second "
        "opinion of the edge step.",
    )
    rbkg: float = Field(
        default=1.0, gt=0, title="Rbkg (Å)", description="Below that, R is background."
    )
    kweight: int = Field(default=2, ge=0, le=3, title="k weight", description="Of chi(R).")
    kmin: float = Field(default=3.0, ge=0, title="k from (1/Å)", description="Of chi(R).")
    kmax: float | None = Field(
        default=None, gt=0, title="k to (1/Å)", description="Of chi(R). Empty: to the data's end."
    )
    over_absorption: Geometry | None = Field(
        default=None,
        title="Over-absorption",
        description="Correct fluorescence for it. Empty: not corrected.",
    )

    # -- interpretation
    standards: str | None = Field(
        default=None,
        title="Standards",
        description="Spectral library whose spectra of this element and edge are fitted as a "
        "linear combination. Empty: no fit.",
    )
    compounds: list[str] = Field(
        default_factory=list,
        title="Compounds",
        description="Names in the library that are meant. Empty: all of this element and edge.",
    )
    most_standards: int | None = Field(
        default=None,
        ge=1,
        title="Most standards",
        description="In one combination. Empty: all at once up to eight, else combinations of 3.",
    )
    sum_to_one: bool = Field(
        default=True, title="Sum to one", description="The fractions of a fit sum to one."
    )
    fit_on: Literal["norm", "flat", "derivative"] = Field(
        default="norm", title="Fit on", description="What the linear combination describes."
    )
    fit_from: float = Field(default=-20.0, title="Fit from", description="Of fits and components.")
    fit_to: float = Field(default=60.0, title="Fit to", description="Of fits and components.")
    libraries: list[str] | None = Field(
        default=None,
        title="Match in",
        description="Spectral libraries in which a match is sought. Empty: all; a list without "
        "names: none.",
    )

    @model_validator(mode="after")
    def _windows_in_order(self) -> Self:
        _check_order("pre1", self.pre1, "pre2", self.pre2)
        _check_order("norm1", self.norm1, "norm2", self.norm2)
        _check_order("fit_from", self.fit_from, "fit_to", self.fit_to)
        _check_order("kmin", self.kmin, "kmax", self.kmax)
        return self


def _check_order(low: str, first: float | None, high: str, last: float | None) -> None:
    if first is not None and last is not None and first >= last:
        raise ValueError(f"{low} ({first:g}) must be below {high} ({last:g})")
