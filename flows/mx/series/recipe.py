"""The typed parameters of the flow that merges sweeps; the Prefect form shows these titles."""

from pydantic import ConfigDict, Field

from flows.mx.recipe import MergingRecipe

RECIPE_VERSION = "1"


class Recipe(MergingRecipe):
    """What may be chosen about data that are merged from several sweeps."""

    model_config = ConfigDict(extra="forbid", title="MX series recipe")

    cell_tolerance: float = Field(
        default=0.02,
        gt=0,
        lt=0.2,
        title="Cell tolerance",
        description="By how much the axes of a sweep may differ from the others', as a share.",
    )
    least_correlation: float = Field(
        default=0.5,
        ge=0,
        lt=1,
        title="Least correlation",
        description="A sweep whose intensities agree less with the others is left out.",
    )
