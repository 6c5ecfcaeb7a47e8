"""
Which of several structures a G(r) is of, or that it is of none.

Each candidate is fitted; the one that leaves least wins, if it leaves little. Where others fit as
well within a margin, the simpler one is taken, then the one whose cell had to change least: G(r)
of a crystal of one element does not know which element it is, only how far its atoms are apart.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.pdf.crystal import Crystal, read_structure
from tasks.pdf.structure_fit import StructureFit, fit_structure

_LIMIT = 0.4  # misfit above which a structure does not fit
_MARGIN = 0.1  # of the least misfit: others within it are as good
_STRAIN = 0.02  # change of a length of the cell that needs an explanation


@dataclass(frozen=True)
class Candidate:
    """
    A structure that was tried.

    Attributes
    ----------
    name
        Of the structure.
    fit
        None where it could not be fitted.
    misfit
        Rw without the share that the noise of G(r) has in it; 1 where there is no fit.
    strain
        Largest change of a length of the cell.
    reason
        Why there is no fit; empty otherwise.
    """

    name: str
    fit: StructureFit | None
    misfit: float
    strain: float
    reason: str = ""


@dataclass(frozen=True)
class Choice:
    """
    What became of the candidates.

    Attributes
    ----------
    chosen
        The structure, None if none fits.
    alternatives
        Others that fit as well.
    ranking
        All, best first.
    sentence
        The result in words.
    """

    chosen: Candidate | None
    alternatives: tuple[Candidate, ...]
    ranking: tuple[Candidate, ...]
    sentence: str


def choose_candidate(
    r: F,
    g: F,
    g_sigma: F | None,
    cifs: Sequence[Crystal | Path | str],
    *,
    elements: Collection[str] = (),
    limit: float = _LIMIT,
    margin: float = _MARGIN,
    **options: Any,
) -> Choice:
    """
    Find the structure that a G(r) is of.

    Parameters
    ----------
    r, g, g_sigma, options
        As for `tasks.pdf.structure_fit.fit_structure`.
    cifs
        The candidates.
    elements
        Those of the sample; candidates with others are left out. Empty: not known.
    limit
        Misfit above which a structure does not fit.
    margin
        Candidates whose misfit is larger than the least by this share of it are as good.

    Returns
    -------
    Choice

    Raises
    ------
    DataError
        If there are no candidates, or none of them could be fitted.
    """
    if not cifs:
        raise DataError("There are no candidates to choose from: name their CIFs in the recipe.")
    noise = 0.0 if g_sigma is None else _noise_share(r, g, g_sigma, options)
    tried = [_try(r, g, g_sigma, cif, set(elements), noise, options) for cif in cifs]
    ranking = tuple(sorted(tried, key=lambda each: each.misfit))
    if ranking[0].fit is None:
        raise DataError(
            "None of the candidates could be fitted: "
            + " ".join(f"{each.name}: {each.reason}" for each in ranking)
        )
    return _choose(ranking, limit, margin)


def _try(
    r: F,
    g: F,
    g_sigma: F | None,
    cif: Crystal | Path | str,
    elements: set[str],
    noise: float,
    options: dict[str, Any],
) -> Candidate:
    name = cif.name if isinstance(cif, Crystal) else Path(cif).stem
    try:
        crystal = cif if isinstance(cif, Crystal) else read_structure(cif)
        name = crystal.name
        if elements and (others := sorted(set(crystal.elements) - elements)):
            reason = f"it holds {', '.join(others)}, which the sample does not."
            return Candidate(name, None, 1.0, 0.0, reason)
        fit = fit_structure(r, g, g_sigma, crystal, **options)
    except DataError as error:
        return Candidate(name, None, 1.0, 0.0, str(error))
    misfit = float(np.sqrt(max(fit.rw**2 - noise**2, 0.0)))
    return Candidate(name, fit, misfit, _strain(fit, crystal))


def _noise_share(r: F, g: F, g_sigma: F, options: dict[str, Any]) -> float:
    """Rw that the noise alone would leave."""
    inside = (r >= options.get("rmin", 1.5)) & (r <= options.get("rmax", 20.0))
    return float(np.sqrt(np.sum(g_sigma[inside] ** 2) / np.sum(g[inside] ** 2)))


def _strain(fit: StructureFit, crystal: Crystal) -> float:
    axes = dict(zip(("a", "b", "c"), crystal.cell[:3].tolist(), strict=True))
    return max(
        (
            abs(fit.parameters[axis] / start - 1)
            for axis, start in axes.items()
            if axis in fit.parameters
        ),
        default=0.0,
    )


def _choose(ranking: tuple[Candidate, ...], limit: float, margin: float) -> Choice:
    best = ranking[0]
    if best.misfit > limit:
        return Choice(
            None,
            (),
            ranking,
            f"None of the {len(ranking)} structures fits: the best, {best.name}, leaves "
            f"{100 * best.misfit:.0f} % of G(r), at most {100 * limit:.0f} % may be left.",
        )
    equal = [each for each in ranking if each.fit and each.misfit <= best.misfit * (1 + margin)]
    equal.sort(key=lambda each: (_free(each), round(each.strain, 3), each.misfit))
    chosen, others = equal[0], tuple(equal[1:])
    return Choice(chosen, others, ranking, _sentence(chosen, others, ranking))


def _free(candidate: Candidate) -> int:
    return len(candidate.fit.parameters) if candidate.fit else 0


def _sentence(
    chosen: Candidate, others: tuple[Candidate, ...], ranking: tuple[Candidate, ...]
) -> str:
    words = f"{chosen.name} fits, leaving {100 * chosen.misfit:.1f} % of G(r)"
    behind = [each for each in ranking if each.fit and each not in (chosen, *others)]
    if others:
        names = ", ".join(each.name for each in others)
        words += f"; {names} fit as well: it was taken as the simpler or the less strained one"
    elif behind:
        words += f"; the next, {behind[0].name}, leaves {100 * behind[0].misfit:.1f} %"
    if chosen.strain > _STRAIN:
        words += f". Its cell had to change by {100 * chosen.strain:.1f} %: look at that"
    return words + "."
