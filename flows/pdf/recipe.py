"""The typed parameters of the total-scattering flow."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

RECIPE_VERSION = "1"
NO_SENSOR = "none"

AxisUnit = Literal["q_1/angstrom", "q_1/nm", "tth_deg", "tth_rad"]
Mode = Literal["compatible", "absolute"]


class Container(BaseModel):
    """The capillary about the sample, for the absorption that the absolute mode corrects."""

    model_config = ConfigDict(extra="forbid", title="Container")

    material: str = Field(
        title="Material", description="A name such as kapton or quartz, or a formula: SiO2."
    )
    diameter_mm: float = Field(
        gt=0, title="Inner diameter (mm)", description="Of the sample in it."
    )
    wall_mm: float = Field(default=0.01, ge=0, title="Wall (mm)", description="Its thickness.")
    density: float | None = Field(
        default=None, gt=0, title="Density (g/cm³)", description="Empty: as tabulated by the name."
    )


class Plate(BaseModel):
    """A flat sample across the beam, seen from behind, with a window on either side or none."""

    model_config = ConfigDict(extra="forbid", title="Plate")

    thickness_mm: float = Field(gt=0, title="Thickness (mm)", description="Of the sample.")
    material: str = Field(
        default="kapton", title="Material", description="Of the windows: a name, or a formula."
    )
    window_mm: float = Field(
        default=0.0, ge=0, title="Window (mm)", description="Thickness of each; 0: there is none."
    )
    density: float | None = Field(
        default=None, gt=0, title="Density (g/cm³)", description="Empty: as tabulated by the name."
    )
    width_mm: float | None = Field(
        default=None, gt=0, title="Width (mm)", description="Diameter, for multiple scattering."
    )


class Recipe(BaseModel):
    """What a person or a beamline may choose about a reduction to G(r).

    Every field has a default that reduces a scan without a person; the beamline's settings
    override the defaults, a rerun overrides both. Q is in 1/Å, r and wavelengths in Å.
    """

    model_config = ConfigDict(extra="forbid", title="PDF recipe")

    # -- what was measured
    composition: str | None = Field(
        default=None,
        title="Composition",
        description="As LaB6 or (SiO2)0.7(Na2O)0.3. Empty: as the sample or the data say; without "
        "one the reduction ends at I(Q).",
    )
    density: float | None = Field(
        default=None,
        gt=0,
        title="Density (g/cm³)",
        description="Of the material, not of a packed powder. Empty: as the sample or the data "
        "say.",
    )
    packing: float | None = Field(
        default=None,
        gt=0,
        le=1,
        title="Packing",
        description="Share of the container that is filled, for its absorption. Empty: by the "
        "transmission.",
    )
    container: Container | None = Field(
        default=None,
        title="Container",
        description="Empty: as the sample or the data say.",
    )
    plate: Plate | None = Field(
        default=None,
        title="Plate",
        description="For a flat sample, in place of a container. Empty: as the sample or the data "
        "say.",
    )
    wavelength: float | None = Field(
        default=None,
        gt=0.01,
        lt=10,
        title="Wavelength (Å)",
        description="Instead of what the geometry and the data say.",
    )
    axis_unit: AxisUnit | None = Field(
        default=None,
        title="Unit of the axis",
        description="Of the first column of 1-D patterns whose file does not say it.",
    )
    orientation: Literal[1, 2, 3, 4] | None = Field(
        default=None,
        title="Orientation",
        description="How images lie against their geometry, as pyFAI numbers it. Empty: as the "
        "geometry says.",
    )
    frames: Literal["each", "sum"] = Field(
        default="each",
        title="Frames",
        description="each: every frame is a state of the sample, reduced by itself and together; "
        "sum: exposures of one state.",
    )

    # -- images
    bins: int = Field(default=2500, ge=100, le=20000, title="Bins", description="Of I(Q).")
    polarisation: float | None = Field(
        default=0.99,
        ge=-1,
        le=1,
        title="Polarisation",
        description="Of the beam in the horizontal plane. Empty: not corrected.",
    )
    splitting: Literal["none", "bbox"] = Field(
        default="none",
        title="Pixel splitting",
        description="none: a pixel counts in the bin of its centre; bbox: in all that it covers.",
    )
    uncertainty: Literal["azimuthal", "poisson"] = Field(
        default="azimuthal",
        title="Uncertainty",
        description="azimuthal: by the scatter of the pixels in a ring; poisson: by the counts, "
        "for detectors that count photons.",
    )
    sensor: str | None = Field(
        default=None,
        pattern=r"^(none|[A-Za-z0-9]+ +\d+(\.\d+)?)$",
        title="Sensor",
        description="Material and thickness in mm, as 'Si 0.45', whose absorption is corrected; "
        "none: not corrected. Empty: as the data say.",
    )
    mask_beam_stop: bool = Field(
        default=True, title="Mask the beam stop", description="Its shadow is sought and left out."
    )
    mask_bad_pixels: bool = Field(
        default=True, title="Mask bad pixels", description="Dead, hot and stuck ones are left out."
    )
    mask_spots: bool = Field(
        default=True,
        title="Mask spots",
        description="Of single crystals, diamonds and cosmic rays.",
    )
    clip_sigma: float = Field(
        default=5.0,
        ge=3,
        title="Sigma-clip",
        description="Pixels so many standard deviations off their ring are bad, or of a spot.",
    )

    # -- background
    background: Literal["auto", "container", "empty", "none"] = Field(
        default="auto",
        title="Background",
        description="What is taken off; auto: the container if it was measured, else the empty "
        "beam.",
    )
    background_scale: float | None = Field(
        default=None,
        ge=0,
        title="Background scale",
        description="Empty: by monitor and transmission, else 1. It is checked.",
    )

    # -- transform
    modes: list[Mode] = Field(
        default=["compatible", "absolute"],
        min_length=1,
        title="Modes",
        description="compatible: the polynomial of Juhas et al. 2013; absolute: in electron units, "
        "where density and composition allow it. The first is the one that is drawn.",
    )
    rpoly: float = Field(
        default=0.9, gt=0, le=10, title="rpoly (Å)", description="Below that, r is background."
    )
    residual: float | None = Field(
        default=None,
        ge=0,
        le=2,
        title="Residual (Å)",
        description="Of the absolute mode: up to that distance, what corrections left may vary; 0: "
        "a constant. Empty: the least that the line at low r allows.",
    )
    multiple_scattering: bool = Field(
        default=False,
        title="Multiple scattering",
        description="Of the absolute mode: what the sample scatters twice is computed and taken "
        "off; that needs its container, and packing or transmission.",
    )
    qmin: float | None = Field(
        default=None, ge=0, title="Q from (1/Å)", description="Empty: where the pattern begins."
    )
    qmax: float | None = Field(
        default=None, gt=0, title="Q to (1/Å)", description="Of G(r). Empty: proposed by the noise."
    )
    qmaxinst: float | None = Field(
        default=None,
        gt=0,
        title="Q to, instrument (1/Å)",
        description="Where the pattern ends that the background is fitted to. Empty: its end.",
    )
    window: Literal["none", "lorch", "soper", "hann"] = Field(
        default="none", title="Window", description="By which F(Q) is damped towards its end."
    )
    r_min: float = Field(default=0.0, ge=0, title="r from (Å)", description="Of G(r).")
    r_max: float = Field(default=30.0, gt=0, le=500, title="r to (Å)", description="Of G(r).")
    r_step: float = Field(default=0.01, gt=0, title="r step (Å)", description="Of G(r).")

    # -- interpretation
    structures: list[str] = Field(
        default_factory=list,
        title="Structures",
        description="Structures that are fitted to G(r): the text of a CIF, or the path of one in "
        "the beamline's folders. Several are tried one by one, the best first. Empty: none.",
    )
    mixture: bool = Field(
        default=False,
        title="Mixture",
        description="The structures are phases of one sample and are fitted together.",
    )
    liquid: bool = Field(
        default=False,
        title="Liquid or glass",
        description="Tell g(r), T(r), the radial distribution function and the first shell of "
        "neighbours; needs the absolute mode and the density.",
    )
    fit_from: float = Field(default=1.5, ge=0, title="Fit from (Å)", description="Of structures.")
    fit_to: float = Field(default=20.0, gt=0, title="Fit to (Å)", description="Of structures.")
    qdamp: float = Field(
        default=0.0,
        ge=0,
        title="Q damp (1/Å)",
        description="Damping of G(r) by the instrument, from a standard.",
    )
    qbroad: float = Field(
        default=0.0,
        ge=0,
        title="Q broad (1/Å)",
        description="Broadening of its peaks, from a standard.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _check_order("qmin", self.qmin, "qmax", self.qmax)
        _check_order("qmin", self.qmin, "qmaxinst", self.qmaxinst)
        _check_order("r_min", self.r_min, "r_max", self.r_max)
        _check_order("fit_from", self.fit_from, "fit_to", self.fit_to)
        if self.qmax is not None and self.qmaxinst is not None and self.qmax > self.qmaxinst:
            raise ValueError(f"qmax ({self.qmax:g}) must not be above qmaxinst ({self.qmaxinst:g})")
        return self


def _check_order(low: str, first: float | None, high: str, last: float | None) -> None:
    if first is not None and last is not None and first >= last:
        raise ValueError(f"{low} ({first:g}) must be below {high} ({last:g})")
