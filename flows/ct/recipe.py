"""The typed parameters of the CT flow."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

RECIPE_VERSION = "1"


class Recipe(BaseModel):
    """What a person or a beamline may choose about a CT reduction.

    Every field has a default that reduces a scan without a person; the beamline's settings
    override the defaults, a rerun overrides both.
    """

    model_config = ConfigDict(extra="forbid", title="CT recipe")

    rotation_axis: float | None = Field(
        default=None,
        title="Rotation axis",
        description="Detector column of the rotation axis in pixels (the centre of column 0 is "
        "0.0), at the middle row. Empty: found automatically.",
    )
    axis_slope: float | None = Field(
        default=None,
        title="Axis slope",
        description="Columns that the axis moves per row, the tangent of its tilt. Empty: found "
        "with the axis, or 0 when the axis is set.",
    )
    axis_rows: int = Field(
        default=5, ge=1, le=64, title="Axis rows", description="Rows in which the axis is sought."
    )
    stripe_removal: Literal["sorting", "none"] = Field(
        default="sorting",
        title="Stripe removal",
        description="How rings are removed from the sinograms.",
    )
    filter: Literal["ramp", "shepp-logan", "cosine", "hamming", "hann"] = Field(
        default="ramp", title="Filter", description="Filter of the reconstruction."
    )
    pixel_size_um: float | None = Field(
        default=None,
        gt=0,
        title="Pixel size (µm)",
        description="Effective pixel size. Empty: as the scan's metadata say.",
    )
    first_row: int = Field(default=0, ge=0, title="First row", description="First detector row.")
    last_row: int | None = Field(
        default=None, ge=1, title="Last row", description="One past the last row. Empty: all rows."
    )
    output_type: Literal["float32", "uint16"] = Field(
        default="float32",
        title="Output type",
        description="float32 in 1/cm, or uint16 with the scale and offset stored beside it.",
    )
