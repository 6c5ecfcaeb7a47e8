"""The typed parameters of the crystallography flow; the Prefect form shows these titles."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

RECIPE_VERSION = "1"

Program = Literal["dayseye", "dials"]


class Cell(BaseModel):
    """A unit cell: lengths in Å, angles in degrees."""

    model_config = ConfigDict(extra="forbid", title="Unit cell")

    a: float = Field(gt=0, title="a (Å)", description="Length of the first axis.")
    b: float = Field(gt=0, title="b (Å)", description="Length of the second axis.")
    c: float = Field(gt=0, title="c (Å)", description="Length of the third axis.")
    alpha: float = Field(default=90, gt=0, lt=180, title="α (°)", description="Between b and c.")
    beta: float = Field(default=90, gt=0, lt=180, title="β (°)", description="Between a and c.")
    gamma: float = Field(default=90, gt=0, lt=180, title="γ (°)", description="Between a and b.")

    @property
    def values(self) -> tuple[float, float, float, float, float, float]:
        """Lengths, then angles."""
        return self.a, self.b, self.c, self.alpha, self.beta, self.gamma


class Grid(BaseModel):
    """A raster over the sample, row by row: one still for each point."""

    model_config = ConfigDict(extra="forbid", title="Grid")

    rows: int = Field(ge=1, title="Rows", description="Lines of the raster.")
    columns: int = Field(ge=1, title="Columns", description="Points of a line.")
    snake: bool = Field(
        default=False, title="Snake", description="Every other line was measured backwards."
    )


class MergingRecipe(BaseModel):
    """What may be chosen about merged data, of one sweep or of several together."""

    model_config = ConfigDict(extra="forbid", title="MX merging recipe")

    # -- what is known of the crystal
    space_group: str = Field(
        default="",
        title="Space group",
        description="As P 43 21 2. Empty: determined from the data.",
    )
    reference: str = Field(
        default="",
        title="Reference data",
        description="An MTZ file in the beamline's folders: its setting, indexing and free set "
        "are kept. Empty: there are none.",
    )
    small_molecule: bool = Field(
        default=False,
        title="Small molecule",
        description="Glide planes and centres of symmetry are possible.",
    )

    # -- intensities
    resolution: float | None = Field(
        default=None,
        gt=0.2,
        title="Resolution (Å)",
        description="Of merged data. Empty: where CC1/2 falls to the limit.",
    )
    cc_half: float = Field(
        default=0.3,
        gt=0,
        lt=1,
        title="Limit of CC1/2",
        description="The resolution is cut where the fitted CC1/2 falls to it.",
    )
    anomalous: bool = Field(
        default=True,
        title="Anomalous",
        description="Friedel mates stay apart in the merged data.",
    )
    absorption: Literal["auto", "no"] = Field(
        default="auto",
        title="Absorption surface",
        description="auto: scales vary with the directions of the beams in the crystal, where "
        "there are data enough to tell.",
    )

    # -- structure
    structure: Literal["auto", "no"] = Field(
        default="auto",
        title="Structure",
        description="auto: solved and refined where a model is at hand.",
    )
    model: str = Field(
        default="",
        title="Model",
        description="A PDB or mmCIF file in the beamline's folders, or the UniProt id of a "
        "prediction. Empty: predictions are looked for by the sample's sequence.",
    )
    predictions: str = Field(
        default="",
        title="Predictions",
        description="Folder of predicted models, below one of the beamline's folders.",
    )
    copies: int | None = Field(
        default=None,
        ge=1,
        le=20,
        title="Copies",
        description="In the asymmetric unit. Empty: as many as its volume holds as a rule.",
    )


class Recipe(MergingRecipe):
    """What a person or a beamline may choose about a reduction to merged intensities.

    Every field has a default that reduces a sweep without a person; the beamline's settings
    override the defaults, a rerun overrides both. Lengths in the crystal are in Å.
    """

    model_config = ConfigDict(extra="forbid", title="MX recipe")

    # -- what is known of the crystal
    cell: Cell | None = Field(
        default=None,
        title="Unit cell",
        description="Empty: as the sample or the data say, else found without one.",
    )
    # -- spots and indexing
    program: Program = Field(
        default="dayseye",
        title="Program",
        description="What finds spots, indexes, integrates and scales; dials only where its "
        "commands are on the PATH of the workers.",
    )
    first_image: int | None = Field(
        default=None, ge=1, title="First image", description="Empty: the sweep's first."
    )
    last_image: int | None = Field(
        default=None, ge=1, title="Last image", description="Empty: the sweep's last."
    )
    stills: bool = Field(
        default=False,
        title="Stills",
        description="Each image is indexed by itself, with the known cell; so are images that do "
        "not turn.",
    )
    grid: Grid | None = Field(
        default=None,
        title="Grid",
        description="Of a grid scan: the reduction is a heat map. Empty: as the data say.",
    )
    longest_axis: float | None = Field(
        default=None,
        gt=3,
        title="Longest axis (Å)",
        description="What indexing looks for at most. Empty: by the distances between spots.",
    )

    @model_validator(mode="after")
    def _check_images(self) -> "Recipe":
        first, last = self.first_image, self.last_image
        if first is not None and last is not None and last < first:
            raise ValueError(f"The last image ({last}) comes before the first ({first}).")
        return self
