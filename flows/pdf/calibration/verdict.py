"""What a calibration is judged by; one that was not accepted ends before."""

from collections.abc import Sequence

import numpy as np

from flows.pdf.calibration.types import Result
from flows.verdict import Judgement, Rule, judge

# whoever changes what a rule says changes the version
VERSION = "pdf-calibration/1"
FEW_RINGS = 6
MUCH_MISFIT = 0.5  # pixels
OTHER_WAVELENGTH = 0.005  # relative


def _reading(result: Result) -> Sequence[str]:
    return result.opened.warnings


def _rings(result: Result) -> Sequence[str]:
    count = len(result.calibration.rings)
    if count >= FEW_RINGS:
        return ()
    return (f"It hangs on {count} rings; with {FEW_RINGS} or more, errors of some would show.",)


def _fit(result: Result) -> Sequence[str]:
    off = result.misfit_pixels
    if off <= MUCH_MISFIT:
        return ()
    return (f"The rings lie {off:.2f} pixels from where the geometry has them.",)


def _wavelength(result: Result) -> Sequence[str]:
    given, found = result.opened.wavelength, result.geometry.wavelength
    if np.isclose(given, found, rtol=OTHER_WAVELENGTH):
        return ()
    return (f"The rings say {found:.5f} Å, the data or the recipe {given:.5f} Å.",)


RULES: tuple[Rule[Result], ...] = (
    Rule("reading", "the file says what it holds, and nothing had to be assumed", _reading),
    Rule("rings", "enough rings are seen for an error of some to show", _rings),
    Rule("fit", "the rings lie where the geometry has them, within half a pixel", _fit),
    Rule("wavelength", "a fitted wavelength is the one that was given", _wavelength),
)


def judgement(result: Result) -> Judgement:
    """Judge an accepted calibration: *check* where anything is uncertain."""
    return judge(RULES, VERSION, result, summary(result))


def summary(result: Result) -> str:
    """Say in one line what was found."""
    sigma = result.calibration.sigma.get("distance")
    error = "" if sigma is None else f" ± {1e3 * sigma:.3f}"
    return (
        f"{1e3 * result.geometry.distance:.3f}{error} mm from the sample. "
        f"{result.calibration.reason}"
    )
