"""The typed parameters of the flow that calibrates a detector."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

RECIPE_VERSION = "1"


class Start(BaseModel):
    """Where the detector is thought to stand."""

    model_config = ConfigDict(extra="forbid", title="Start")

    distance_mm: float = Field(gt=0, title="Distance (mm)", description="From the sample.")
    poni1_mm: float | None = Field(
        default=None,
        title="Beam along rows (mm)",
        description="From the first pixel. Empty: the middle of the detector.",
    )
    poni2_mm: float | None = Field(
        default=None,
        title="Beam along columns (mm)",
        description="From the first pixel. Empty: the middle of the detector.",
    )
    rot1_deg: float = Field(default=0.0, title="Rotation 1 (°)", description="As pyFAI has it.")
    rot2_deg: float = Field(default=0.0, title="Rotation 2 (°)", description="As pyFAI has it.")


class Recipe(BaseModel):
    """What a person or a beamline may choose about the calibration of a detector.

    Every field has a default that calibrates without a person where the data say enough.
    """

    model_config = ConfigDict(extra="forbid", title="Calibration recipe")

    calibrant: str | None = Field(
        default=None,
        title="Calibrant",
        description="As CeO2, LaB6, Si or another name that pyFAI knows. Empty: as the data say.",
    )
    wavelength: float | None = Field(
        default=None,
        gt=0.01,
        lt=10,
        title="Wavelength (Å)",
        description="Instead of what the data say.",
    )
    pixel_um: float | None = Field(
        default=None,
        gt=0,
        title="Pixel size (µm)",
        description="Where the data do not say it, or instead.",
    )
    orientation: Literal[1, 2, 3, 4] = Field(
        default=3,
        title="Orientation",
        description="How images lie, as pyFAI numbers it.",
    )
    start: Start | None = Field(
        default=None,
        title="Start",
        description="Where the detector is thought to stand. Empty: the rings tell.",
    )
    refine_wavelength: bool = Field(
        default=False,
        title="Refine the wavelength",
        description="Fit it, too; only rings far out tell it from the distance.",
    )
