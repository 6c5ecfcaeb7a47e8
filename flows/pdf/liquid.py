"""Liquids and glasses: g(r), T(r), the radial distribution function and the first shell."""

import numpy as np

from flows.pdf.found import Liquid, Normalising
from flows.pdf.recipe import Recipe
from flows.pdf.types import Curves, Floats, Opened, Transformed
from tasks.errors import DataError
from tasks.pdf.absolute import shortest_distance
from tasks.pdf.composition import Composition
from tasks.pdf.eggert import eggert_kaplow
from tasks.pdf.fourier import to_gr
from tasks.pdf.liquids import Coordination, RadialFunctions, coordination, radial_functions
from tasks.pdf.peaks import first_peaks
from tasks.pdf.scattering import compton, mean_square_form_factor

_FOOT = 0.05  # of the first peak of T(r)
_NEAREST = 0.5  # of the first distance: peaks are not broader
_FURTHEST = 8.0  # Å, of a nearest neighbour
_LEFT = 0.02  # of the line at low r: an iteration that comes so near need not settle
_SHELL = 2.0  # times the first distance: the minimum behind the first shell is nearer


def understand(
    recipe: Recipe, opened: Opened, transformed: Transformed
) -> tuple[Liquid | None, tuple[str, ...]]:
    """Tell what the merged pattern says of a liquid or a glass.

    Returns
    -------
    tuple of (Liquid or None, tuple of str)
        And what is doubtful of it, or why there is none.
    """
    composition, wavelength = opened.sample.composition, opened.wavelength
    curves = next((each for each in transformed.curves if each.mode == "absolute"), None)
    if curves is None or composition is None or wavelength is None:
        return None, (f"There is no g(r) and no count of neighbours: {_lacking(recipe, opened)}",)
    shortest = shortest_distance(composition)
    try:
        foot, top = _foot(curves, shortest)
        normalising, told = _normalised(curves, composition, wavelength, foot)
        radial = _radial(recipe, curves, normalising)
    except DataError as error:
        return None, (f"There is no g(r) and no count of neighbours: {error}",)
    shell, said = _shell(curves.qmax, radial, foot, top)
    found = Liquid(radial, curves.qmax, curves.q, curves.s, normalising, shell)
    return found, (*told, *said)


def _lacking(recipe: Recipe, opened: Opened) -> str:
    if opened.sample.density is None:
        return (
            "the density of the sample is not known. Tell it by `dayseye sample set NAME --set "
            "density=...` and reduce again, or reduce again with density."
        )
    if "absolute" not in recipe.modes:
        return "they need the absolute mode, which the recipe's modes do not name."
    return "they need S(Q) on an absolute scale, which this pattern did not give."


def _foot(curves: Curves, shortest: float) -> tuple[float, float]:
    """Return where the first peak of T(r) begins to rise, and its top, Å.

    The peak is sought in a smoothed curve, away from 0, where a wrong level of S(Q) shows. As
    errors hide its foot, the flank is followed from half the height to a small share of it, and
    as far again.
    """
    r = curves.r[curves.r > 2 * np.pi / curves.qmax]
    if not len(r) or r[-1] <= shortest:
        raise DataError("G(r) ends before the first neighbours: set r_max beyond them.")
    smooth = to_gr(
        curves.q,
        curves.f[None],
        None,
        r,
        qmin=curves.qmin,
        qmax=curves.qmax,
        window="lorch",
        low_q="linear",
    )
    g = np.asarray(smooth.g)[0]
    end = min(_FURTHEST, float(r[-1]))
    peaks = first_peaks(r, g, None, qmax=curves.qmax, count=1, rmin=shortest, rmax=end)
    if not len(peaks.position):
        raise DataError("no first peak of G(r) stands out of its ripples.")
    total = g + 4 * np.pi * float(curves.details["number_density"]) * r
    top = int(np.argmin(np.abs(r - peaks.position[0])))
    half, low = (_below(r, total, top, share) for share in (0.5, _FOOT))
    return max(2 * low - half, _NEAREST * float(r[top])), float(r[top])


def _below(r: Floats, total: Floats, top: int, share: float) -> float:
    """Return where a curve, followed from a maximum towards 0, falls below a share of it."""
    under = np.flatnonzero(total[:top] < share * total[top])
    return float(r[under[-1]]) if len(under) else float(r[0])


def _normalised(
    curves: Curves, composition: Composition, wavelength: float, foot: float
) -> tuple[Normalising | None, tuple[str, ...]]:
    """Iterate S(Q), on an even grid that begins near 0, where S(Q) is held constant."""
    step = float(np.median(np.diff(curves.q)))
    count = int(curves.qmax / step + 1e-6)
    q: Floats = step * np.arange(1, count + 1, dtype=np.float64)
    s = np.interp(q, curves.q, curves.s)
    share = compton(composition, q, wavelength) / mean_square_form_factor(composition, q)
    rho = float(curves.details["number_density"])
    try:
        found = eggert_kaplow(q, s[None], rmin=foot, rho=rho, compton=share)
    except DataError as error:
        return None, (f"S(Q) is not normalised by the Eggert-Kaplow iteration: {error}",)
    normalising = Normalising(
        r_min=foot,
        iterations=found.iterations,
        converged=bool(found.converged[0]),
        before=float(found.misfit[0, 0]),
        after=float(found.misfit[-1, 0]),
        q=q,
        s=found.s[0],
    )
    line = (4 * np.pi * rho) ** 2 * foot**3 / 3  # the square of what G(r) should be
    left = float(np.sqrt(normalising.after / line))
    if normalising.converged or left < _LEFT:
        return normalising, ()
    return normalising, (
        f"The Eggert-Kaplow iteration had not settled after {found.iterations} steps, when it was "
        f"off the line at low r by {left:.1%} of it: density, "
        "background or the end of S(Q) are not what they should be.",
    )


def _radial(recipe: Recipe, curves: Curves, normalising: Normalising | None) -> RadialFunctions:
    """Make g(r) and its like, of S(Q) after the iteration where there is one.

    The iteration takes off what shows below the first peak alone, so that noise beyond it, and
    with it sigma, stays as it was.
    """
    above = curves.r > 0
    r, g = curves.r[above], curves.g[above]
    if normalising is not None:
        q = normalising.q
        pairs = to_gr(
            q,
            q * (normalising.s - 1),
            None,
            r,
            qmin=float(q[0]),
            qmax=curves.qmax,
            window=recipe.window,
            low_q="linear",
        )
        g = np.asarray(pairs.g)
        g = g[0] if g.ndim > 1 else g
    return radial_functions(r, g, curves.g_sigma[above], float(curves.details["number_density"]))


def _shell(
    qmax: float, radial: RadialFunctions, foot: float, top: float
) -> tuple[Coordination | None, tuple[str, ...]]:
    """Count the neighbours up to the first minimum behind the first peak."""
    try:
        end = min(_SHELL * top, float(radial.r[-1]))
        return coordination(radial, qmax=qmax, low=foot, high=end), ()
    except DataError as error:
        return None, (f"Neighbours cannot be counted: {error}",)
