"""
Where the detector stands: pyFAI's convention, its .poni files, and what each pixel sees.

The convention is that of J. Kieffer and D. Karkoulis, J. Phys. Conf. Ser. 425, 202012 (2013),
doi:10.1088/1742-6596/425/20/202012: the point of normal incidence (poni) in m from the corner of
the first pixel, the distance along the normal, and three rotations. The orientation says where the
image's first pixel lies: 3, the usual one, at the origin; 2 with the rows reversed, 4 with the
columns reversed, 1 with both.
"""

import importlib
import json
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.powder import F

_WAVELENGTHS = (0.01, 10.0)  # Å, what X-ray tubes and storage rings deliver


@dataclass(frozen=True)
class Geometry:
    """
    A flat detector and the beam; small, hashable, picklable.

    Attributes
    ----------
    distance, poni1, poni2
        Distance and point of normal incidence along rows and columns, m.
    rot1, rot2, rot3
        Rotations, rad.
    pixel1, pixel2
        Height and width of a pixel, m.
    wavelength
        Å.
    shape
        Rows and columns of the detector; None if not known.
    orientation
        Where the image's first pixel lies, 1 to 4.
    detector
        Name in pyFAI; empty for a plain one.
    """

    distance: float
    poni1: float
    poni2: float
    rot1: float
    rot2: float
    rot3: float
    pixel1: float
    pixel2: float
    wavelength: float
    shape: tuple[int, int] | None = None
    orientation: int = 3
    detector: str = ""

    def oriented(self, orientation: int | None) -> "Geometry":
        """Return the same geometry for images of another orientation; None leaves it."""
        return self if orientation is None else replace(self, orientation=orientation)

    def q(self, two_theta: F) -> F:
        """Turn scattering angles, rad, into momentum transfer, 1/Å."""
        return 4 * np.pi / self.wavelength * np.sin(two_theta / 2)


@dataclass(frozen=True)
class Arrays:
    """
    What each pixel sees; all (rows, columns), none may be written to.

    Attributes
    ----------
    two_theta
        Scattering angle of the centre, rad.
    chi
        Azimuth of the centre, rad, from -pi to pi.
    solid_angle
        Relative to that at the point of normal incidence.
    path
        Way through a sensor relative to that at normal incidence, 1 / cos of the incidence.
    """

    two_theta: F
    chi: F
    solid_angle: F
    path: F

    def polarisation(self, factor: float) -> F:
        """
        Return what polarisation leaves of the intensity.

        Parameters
        ----------
        factor
            (I_h - I_v) / (I_h + I_v): 1 for a beam polarised in the horizontal plane, 0 for none.
        """
        lost = np.sin(self.two_theta) ** 2
        return 1 - 0.5 * lost * (1 + factor * np.cos(2 * self.chi))


def read_poni(path: Path, wavelength: float | None = None) -> Geometry:
    """
    Read a .poni file of version 1 to 3.

    Parameters
    ----------
    path
        The file.
    wavelength
        Å, for a file that has none.

    Raises
    ------
    DataError
        It is no .poni file, lacks something, or describes a detector that is not flat.
    """
    try:
        poni = _pyfai("io.ponifile").PoniFile(str(path))
        detector = poni.detector
        seen = _geometry(poni, detector, wavelength)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise DataError(
            f"{path} could not be read as a .poni file ({error}): save the calibration again."
        ) from error
    if not (detector.IS_FLAT and detector.uniform_pixel and detector.IS_CONTIGUOUS):
        raise DataError(
            f"{path} describes a {type(detector).__name__}, whose pixels are not a flat regular "
            f"grid; only such detectors can be integrated. Correct the images for its distortion "
            f"and calibrate them as a plain detector."
        )
    return _checked(seen, path)


def write_poni(path: Path, geometry: Geometry) -> None:
    """Write a .poni file of version 2.1, which pyFAI reads; beside it first, then renamed."""
    config: dict[str, Any] = {
        "pixel1": geometry.pixel1,
        "pixel2": geometry.pixel2,
        "max_shape": geometry.shape,
        "orientation": geometry.orientation,
    }
    lines = {
        "poni_version": 2.1,
        "Detector": "Detector",
        "Detector_config": json.dumps(config),
        "Distance": geometry.distance,
        "Poni1": geometry.poni1,
        "Poni2": geometry.poni2,
        "Rot1": geometry.rot1,
        "Rot2": geometry.rot2,
        "Rot3": geometry.rot3,
        "Wavelength": geometry.wavelength * 1e-10,
    }
    name = f"# Image of: {geometry.detector}\n" if geometry.detector else ""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(name + "".join(f"{key}: {value}\n" for key, value in lines.items()))
    beside.replace(path)


def check_detector(
    geometry: Geometry,
    shape: tuple[int, int],
    pixel: tuple[float, float] | None = None,
    where: str = "The image",
) -> None:
    """
    Check that a geometry belongs to the detector of an image.

    Parameters
    ----------
    geometry
        The geometry.
    shape
        Rows and columns of the image.
    pixel
        Height and width of its pixels in m, where they are known.
    where
        What to call the image in the error's sentence.

    Raises
    ------
    DataError
        The number or the size of the pixels differs, or the beam is far off the detector.
    """
    if geometry.shape is not None and tuple(geometry.shape) != tuple(shape):
        raise DataError(
            f"{where} has {shape[0]} x {shape[1]} pixels, but the geometry was made for a detector "
            f"of {geometry.shape[0]} x {geometry.shape[1]}: it belongs to another detector or "
            f"binning. Choose the .poni file of this one, or calibrate it."
        )
    own = (geometry.pixel1, geometry.pixel2)
    if pixel is not None and not np.allclose(pixel, own, rtol=0.01, atol=0.0):
        raise DataError(
            f"{where} has pixels of {_microns(pixel)} µm, but those of the geometry are of "
            f"{_microns(own)} µm: it belongs to another detector or binning. Choose the .poni file "
            f"of this one, or calibrate it."
        )
    size = np.multiply(shape, own)
    away = np.maximum(np.abs(np.subtract(beam_centre(geometry), size / 2)) - size / 2, 0)
    if not away.max() < max(size.max(), geometry.distance):
        raise DataError(
            f"{where}: by the geometry the direct beam passes {away.max() * 1e3:.0f} mm beside the "
            f"detector, so it belongs to another one. Choose the .poni file of this one, or "
            f"calibrate it."
        )


def beam_centre(geometry: Geometry) -> tuple[float, float]:
    """Return where the direct beam meets the detector's plane, m along rows and columns."""
    tilt = math.cos(geometry.rot1) * math.cos(geometry.rot2)
    if abs(tilt) < 1e-6:
        return math.inf, math.inf
    return (
        geometry.poni1 + geometry.distance * math.tan(geometry.rot2) / math.cos(geometry.rot1),
        geometry.poni2 - geometry.distance * math.tan(geometry.rot1),
    )


@lru_cache(maxsize=2)
def arrays(geometry: Geometry, shape: tuple[int, int]) -> Arrays:
    """
    Compute what each pixel of an image sees; kept per process for two geometries.

    Parameters
    ----------
    geometry
        The geometry.
    shape
        Rows and columns of the image.

    Raises
    ------
    DataError
        The image is not of the geometry's detector.
    """
    check_detector(geometry, shape)
    instrument = pyfai_geometry(geometry, shape)
    cosine = np.asarray(instrument.solidAngleArray(shape, order=1), np.float64)
    made = Arrays(
        two_theta=np.asarray(instrument.center_array(shape, "2th_rad", scale=False), np.float64),
        chi=np.asarray(instrument.center_array(shape, "chi_rad", scale=False), np.float64),
        solid_angle=cosine**3,
        path=1 / cosine,
    )
    for each in (made.two_theta, made.chi, made.solid_angle, made.path):
        each.flags.writeable = False
    return made


def extent(geometry: Geometry, shape: tuple[int, int], unit: Literal["q", "tth"]) -> tuple[F, F]:
    """
    Compute between which momentum transfers, 1/Å, or scattering angles, rad, each pixel lies.

    The limits are as far below as above the centre: the largest distance of a corner. The lower may
    be below zero.
    """
    instrument = pyfai_geometry(geometry, shape)
    name = {"q": "q_A^-1", "tth": "2th_rad"}[unit]
    delta = np.asarray(instrument.delta_array(shape, unit=name, scale=True), np.float64)
    two_theta = arrays(geometry, shape).two_theta
    centre = geometry.q(two_theta) if unit == "q" else two_theta
    return centre - delta, centre + delta


def pyfai_geometry(geometry: Geometry, shape: tuple[int, int] | None = None) -> Any:
    """Make a `pyFAI.geometry.Geometry`, which caches its own arrays as long as it lives."""
    detector = _pyfai("detectors").Detector(
        geometry.pixel1,
        geometry.pixel2,
        max_shape=shape or geometry.shape,
        orientation=geometry.orientation,
    )
    return _pyfai("geometry").Geometry(
        dist=geometry.distance,
        poni1=geometry.poni1,
        poni2=geometry.poni2,
        rot1=geometry.rot1,
        rot2=geometry.rot2,
        rot3=geometry.rot3,
        detector=detector,
        wavelength=geometry.wavelength * 1e-10,
    )


def module_gaps(geometry: Geometry, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Return the pixels that a detector known to pyFAI by name lacks; None if it lacks none."""
    detectors = _pyfai("detectors")
    if geometry.detector.lower() not in detectors.ALL_DETECTORS:
        return None
    gaps = detectors.detector_factory(geometry.detector).calc_mask()
    if gaps is None or gaps.shape != tuple(shape):
        return None
    rows, columns = {1: (-1, -1), 2: (-1, 1), 4: (1, -1)}.get(geometry.orientation, (1, 1))
    return np.asarray(gaps, np.bool_)[::rows, ::columns]


def _pyfai(module: str) -> Any:
    """Import a module of pyFAI, which takes a second, where it is needed."""
    return importlib.import_module(f"pyFAI.{module}")


def _geometry(poni: Any, detector: Any, wavelength: float | None) -> Geometry:
    known = poni.wavelength * 1e10 if poni.wavelength else wavelength
    if known is None:
        raise ValueError("it has no wavelength: name it in the recipe")
    shape = detector.max_shape
    return Geometry(
        *(float(each) for each in (poni.dist, poni.poni1, poni.poni2)),
        *(float(each) for each in (poni.rot1, poni.rot2, poni.rot3)),
        pixel1=float(detector.pixel1),
        pixel2=float(detector.pixel2),
        wavelength=float(known),
        shape=(int(shape[0]), int(shape[1])) if shape else None,
        orientation=int(detector.orientation) or 3,
        detector="" if type(detector).__name__ == "Detector" else type(detector).__name__,
    )


def _checked(geometry: Geometry, path: Path) -> Geometry:
    low, high = _WAVELENGTHS
    lengths = (geometry.distance, geometry.pixel1, geometry.pixel2)
    if not (min(lengths) > 0 and low < geometry.wavelength < high):
        raise DataError(
            f"{path} has a distance of {geometry.distance:g} m, pixels of "
            f"{_microns((geometry.pixel1, geometry.pixel2))} µm and a wavelength of "
            f"{geometry.wavelength:g} Å, which cannot be: save the calibration again."
        )
    return geometry


def _microns(pixel: tuple[float, float]) -> str:
    return " x ".join(f"{each * 1e6:.4g}" for each in pixel)
