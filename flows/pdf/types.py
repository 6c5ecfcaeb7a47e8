"""What the stages of the total-scattering flow hand to one another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.pdf.recipe import Container, Mode, Plate
from tasks.io.scan import ScanReference
from tasks.pdf.absorption import AbsorptionFactors
from tasks.pdf.background_scale import ScaleCheck
from tasks.pdf.composition import Composition
from tasks.pdf.geometry import Geometry

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Doubts = dict[str, tuple[str, ...]]
"""Sentences for the user, by the rule of the verdict that they belong to."""


@dataclass(frozen=True)
class Sample:
    """What is known of the sample, and who says it.

    Attributes
    ----------
    composition : Composition or None
        None where nobody says it.
    formula : str
        As it was written.
    density : float or None
        g/cm³.
    container : Container, Plate or None
        The capillary, or the plate that the sample is.
    container_name : str
        As the catalogue or the data say it.
    said_by : mapping of str to str
        ``recipe``, ``sample`` (in the catalogue) or ``data``, by what they say.
    """

    composition: Composition | None = None
    formula: str = ""
    density: float | None = None
    container: Container | Plate | None = None
    container_name: str = ""
    said_by: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Opened:
    """A scan that can be reduced: what it is, and how it was measured.

    Attributes
    ----------
    data : ScanReference
        Where it stands.
    shape : tuple of int
        Frames, rows and columns; a 1-D pattern is one row.
    wavelength : float or None
        Å; None where it is not needed.
    geometry : Geometry or None
        None for 1-D patterns.
    sample : Sample
        What is in the beam.
    calibrations : mapping of str to tuple of ScanReference
        By the role that they serve in: dark, flat, empty, container, mask, geometry.
    title : str
        What the data call themselves.
    metadata : dict
        What the data say.
    doubts : dict
        Sentences by rule.
    """

    data: ScanReference
    shape: tuple[int, int, int]
    wavelength: float | None
    geometry: Geometry | None
    sample: Sample
    calibrations: Mapping[str, tuple[ScanReference, ...]]
    title: str
    metadata: Mapping[str, Any]
    doubts: Doubts = field(default_factory=Doubts)

    @property
    def is_image(self) -> bool:
        """Whether there are images to integrate."""
        return self.geometry is not None


@dataclass(frozen=True)
class Image:
    """What there is to see of the detector.

    Attributes
    ----------
    mean : numpy.ndarray
        Mean of the frames, (rows, columns).
    mask : numpy.ndarray
        True: left out, (rows, columns).
    masked_by : mapping of str to int
        Pixels by reason.
    cake : numpy.ndarray
        (azimuths, bins); NaN where there is no pixel.
    azimuth, cake_q : numpy.ndarray
        Its axes: degrees (azimuths,), and 1/Å (bins,).
    """

    mean: Floats
    mask: Mask
    masked_by: Mapping[str, int]
    cake: Floats
    azimuth: Floats
    cake_q: Floats


@dataclass(frozen=True)
class Background:
    """A measurement without the sample, on the axis of the sample's patterns.

    Attributes
    ----------
    kind : str
        container or empty.
    intensity, sigma : numpy.ndarray
        Per frame, (bins,).
    monitor, exposure, transmission : float or None
        Of a frame: incident beam, seconds, and what gets through.
    """

    kind: str
    intensity: Floats
    sigma: Floats
    monitor: float | None = None
    exposure: float | None = None
    transmission: float | None = None


@dataclass(frozen=True)
class Patterns:
    """I(Q) as it was measured, frame by frame.

    Attributes
    ----------
    q : numpy.ndarray
        1/Å, (bins,).
    intensity, sigma : numpy.ndarray
        (frames, bins).
    monitor : numpy.ndarray or None
        Incident beam, (frames,).
    exposure, transmission : float or None
        Of a frame in s, and of the sample.
    left_out : mapping of int to str
        Frames that cannot be trusted, and why.
    background : Background or None
        What can be taken off.
    image : Image or None
        Of the detector, where there was one.
    doubts : dict
        Sentences by rule.
    """

    q: Floats
    intensity: Floats
    sigma: Floats
    monitor: Floats | None = None
    exposure: float | None = None
    transmission: float | None = None
    left_out: Mapping[int, str] = field(default_factory=dict[int, str])
    background: Background | None = None
    image: Image | None = None
    doubts: Doubts = field(default_factory=Doubts)

    @property
    def kept(self) -> NDArray[np.int64]:
        """Numbers of the frames that count."""
        return np.setdiff1d(np.arange(len(self.intensity)), list(self.left_out))


@dataclass(frozen=True)
class Corrected:
    """I(Q) per incident beam, with the background taken off.

    Attributes
    ----------
    q : numpy.ndarray
        1/Å, (bins,).
    frames : numpy.ndarray
        Numbers of the frames that the rows are of, (frames,).
    intensity, sigma : numpy.ndarray
        (frames, bins).
    merged, merged_sigma : numpy.ndarray
        Of all frames, (bins,).
    measured : numpy.ndarray
        Of all frames, before the background is taken off, (bins,).
    background : numpy.ndarray or None
        What was taken off, scaled, (bins,).
    background_kind, scaled_by : str
        container or empty, and what the scale comes from.
    scale : float or None
        The background's, against the intensities as measured; its mean where it varies with Q.
    scale_check : ScaleCheck or None
        What the container's sharp features say of the scale.
    absorption : AbsorptionFactors or None
        Of sample and container, (bins,) each.
    no_absorption : str
        Why there are none.
    doubts : dict
        Sentences by rule.
    """

    q: Floats
    frames: NDArray[np.int64]
    intensity: Floats
    sigma: Floats
    merged: Floats
    merged_sigma: Floats
    measured: Floats
    background: Floats | None = None
    background_kind: str = ""
    scaled_by: str = ""
    scale: float | None = None
    scale_check: ScaleCheck | None = None
    absorption: AbsorptionFactors | None = None
    no_absorption: str = ""
    doubts: Doubts = field(default_factory=Doubts)

    @property
    def q_range(self) -> tuple[float, float]:
        """First and last Q of which the intensity is known."""
        known = self.q[np.isfinite(self.merged) & np.isfinite(self.merged_sigma)]
        return (float(known[0]), float(known[-1])) if len(known) else (0.0, 0.0)


@dataclass(frozen=True)
class Curves:
    """S(Q), F(Q) and G(r) in one mode.

    Attributes
    ----------
    mode : str
        compatible or absolute.
    q : numpy.ndarray
        1/Å, (points,).
    s, s_sigma, f, f_sigma : numpy.ndarray
        Merged, (points,); f in 1/Å.
    r : numpy.ndarray
        Å, (distances,).
    g, g_sigma : numpy.ndarray
        Merged, 1/Å², (distances,).
    each_f, each_f_sigma, each_g, each_g_sigma : numpy.ndarray
        Frame by frame, (frames, points) twice and (frames, distances) twice.
    qmin, qmax : float
        Of the transform, 1/Å.
    details : mapping
        What the mode says of how it came to them.
    """

    mode: Mode
    q: Floats
    s: Floats
    s_sigma: Floats
    f: Floats
    f_sigma: Floats
    r: Floats
    g: Floats
    g_sigma: Floats
    each_f: Floats
    each_f_sigma: Floats
    each_g: Floats
    each_g_sigma: Floats
    qmin: float
    qmax: float
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Transformed:
    """The curves by mode, the one that is drawn first; none where the reduction ends at I(Q).

    Attributes
    ----------
    curves : tuple of Curves
        By mode.
    ends_at : str
        Why there are none; empty where there are.
    notes : tuple of str
        What was not done, and why.
    doubts : dict
        Sentences by rule.
    """

    curves: tuple[Curves, ...] = ()
    ends_at: str = ""
    notes: tuple[str, ...] = ()
    doubts: Doubts = field(default_factory=Doubts)

    @property
    def first(self) -> Curves | None:
        """The one that is drawn."""
        return self.curves[0] if self.curves else None
