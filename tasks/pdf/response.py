"""
What the detector adds and takes: dark current, flat field, a sensor's yield at oblique incidence.

A beam that meets a sensor obliquely has a longer way through it and is absorbed more: the yield
relative to normal incidence is (1 - t^(1/cos a)) / (1 - t) with the transmission t at normal
incidence. J. Zaleski, G. Wu, P. Coppens, J. Appl. Cryst. 31, 302 (1998); for
scintillators G. Wu et al., J. Appl. Cryst. 35, 356 (2002). Fluorescence that leaves the sensor is
not counted in.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.powder import F

_HC = 12398.419843320026  # eV Å
_DENSITY = {"Si": 2.329, "CdTe": 5.85, "GaAs": 5.317, "CsI": 4.51, "Gd2O2S": 7.32, "Ge": 5.323}
"""Of sensors and scintillators, g/cm³ (CRC Handbook; Gd2O2S as a crystal)."""
_LEAST_FLAT = 0.1  # of its median: a pixel that sees less is left out


@dataclass(frozen=True)
class Sensor:
    """
    What absorbs the beam in a detector.

    Attributes
    ----------
    material
        Chemical formula: ``Si``, ``CdTe``, ``CsI``.
    thickness
        m.
    density
        g/cm³; None takes that of a common sensor.
    """

    material: str
    thickness: float
    density: float | None = None

    def transmission(self, wavelength: float) -> float:
        """
        Return what passes the sensor at normal incidence.

        Parameters
        ----------
        wavelength
            Å.

        Raises
        ------
        DataError
            The material does not exist, or its density is neither given nor known.
        """
        import xraydb

        density = self.density or _DENSITY.get(self.material)
        if density is None or self.thickness <= 0:
            raise DataError(
                f"A sensor of {self.thickness * 1e3:g} mm {self.material} cannot be corrected for: "
                f"name its density in g/cm³ and a thickness above zero (densities are known of "
                f"{', '.join(_DENSITY)})."
            )
        try:
            mu = float(xraydb.material_mu(self.material, _HC / wavelength, density=density))
        except (ValueError, KeyError) as error:
            raise DataError(
                f"The sensor's material '{self.material}' is no chemical formula ({error}): "
                f"correct it in the recipe, for instance to 'CdTe'."
            ) from error
        return float(np.exp(-mu * self.thickness * 100))


def oblique_yield(path: F, transmission: float) -> F:
    """
    Return a sensor's yield relative to normal incidence.

    Parameters
    ----------
    path
        Way through the sensor relative to normal incidence, of any shape.
    transmission
        At normal incidence, from 0 to below 1.
    """
    return (1 - transmission**path) / (1 - transmission)


@dataclass(frozen=True)
class Dark:
    """
    What a frame holds without beam.

    Attributes
    ----------
    mean, variance
        Of the value to take off, (rows, columns); the variance is that of the mean.
    """

    mean: F
    variance: F


def make_dark(
    frames: NDArray[Any],
    exposure: float | None = None,
    wanted: float | None = None,
    bias: NDArray[Any] | None = None,
) -> Dark:
    """
    Average darks and scale them to the exposure of the frames they serve.

    Parameters
    ----------
    frames
        Darks, (frames, rows, columns).
    exposure
        Of a dark, s.
    wanted
        Of the frames to be corrected, s; the dark current grows with time. Left out or equal,
        nothing is scaled.
    bias
        What a frame of no exposure holds, (rows, columns): it does not grow.

    Raises
    ------
    DataError
        The exposures differ and one is not known or zero.
    """
    number = len(frames)
    mean: F = np.asarray(frames.mean(axis=0, dtype=np.float64))
    scatter: F = np.asarray(frames.var(axis=0, dtype=np.float64, ddof=min(1, number - 1)))
    variance = scatter / number
    if exposure == wanted:
        return Dark(mean, variance)
    if not (exposure and wanted):
        raise DataError(
            f"The darks were exposed for {_seconds(exposure)}, the frames for {_seconds(wanted)}: "
            f"without both times the dark cannot be scaled. Name them in the recipe, or take darks "
            f"of the same exposure."
        )
    factor = wanted / exposure
    ground = 0.0 if bias is None else np.asarray(bias, np.float64)
    return Dark(ground + factor * (mean - ground), factor**2 * variance)


def make_flat(
    frames: NDArray[Any], dark: F | None = None, mask: NDArray[np.bool_] | None = None
) -> tuple[F, NDArray[np.bool_]]:
    """
    Turn exposures of even light into the relative yield of the pixels.

    Parameters
    ----------
    frames
        (frames, rows, columns), or one such image.
    dark
        What to take off, (rows, columns).
    mask
        True for pixels that do not count, (rows, columns).

    Returns
    -------
    flat
        Relative yield, its median one, (rows, columns); one where it is bad.
    bad
        Pixels that see less than a tenth of the median, or nothing that is a number.

    Raises
    ------
    DataError
        There is no light in it.
    """
    light = np.asarray(frames, np.float64).reshape(-1, *frames.shape[-2:]).mean(axis=0)
    light = light if dark is None else light - dark
    used = np.isfinite(light) if mask is None else np.isfinite(light) & ~mask
    typical = float(np.median(light[used])) if used.any() else 0.0
    if not typical > 0:
        raise DataError(
            "The flat field holds no light once its dark is taken off: take it again, or reduce "
            "without a flat."
        )
    flat = light / typical
    bad = ~(flat > _LEAST_FLAT)
    return np.where(bad, 1.0, flat), bad


def _seconds(time: float | None) -> str:
    return "an unknown time" if time is None else f"{time:g} s"
