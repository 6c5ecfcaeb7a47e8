"""
Which of several structures a G(r) is of, or that it is of none.

Each candidate is fitted, to the near peaks first and, unless that is hopeless, to all; the one that
leaves least wins, if it leaves little. Where others fit as well within a margin, the simpler one is
taken, then the one whose cell had to change least: G(r) of a crystal of one element does not know
which element it is, only how far its atoms are apart.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.pdf.crystal import Crystal, read_structure
from tasks.pdf.phases import PhaseFractions, fit_phases
from tasks.pdf.structure_fit import StructureFit, fit_structure

_LIMIT = 0.4  # misfit above which a structure does not fit
_MARGIN = 0.1  # of the least misfit: others within it are as good
_NEAR = 8.0  # Å that are fitted first
_HOPELESS = 0.7  # misfit there with which a candidate is not tried further
_PAIRS = 3  # of structures that are fitted together to the whole range
_BETTER = 0.7  # times the misfit alone: a second phase must bring it below
_SEEN = 5.0  # sigma of its share that it must have
_STRAIN = 0.02  # change of a length of the cell that needs an explanation


@dataclass(frozen=True)
class Candidate:
    """
    A structure that was tried.

    Attributes
    ----------
    name
        Of the structure.
    crystal, fit
        None where it could not be read or fitted.
    misfit
        Rw without the share that the noise of G(r) has in it; 1 where there is no fit. Of the near
        peaks where the candidate was not tried further.
    strain
        Largest change of a length of the cell.
    reason
        Why there is no fit, or none of the whole range; empty otherwise.
    """

    name: str
    crystal: Crystal | None
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
        The structure that fits alone, None if none does.
    alternatives
        Others that fit as well.
    mixture
        Two structures that fit together far better than any alone; None if there are none, or if
        they were not asked for.
    ranking
        All, best first.
    sentence
        The result in words.
    """

    chosen: Candidate | None
    alternatives: tuple[Candidate, ...]
    mixture: PhaseFractions | None
    ranking: tuple[Candidate, ...]
    sentence: str


@dataclass(frozen=True)
class _Curve:
    r: F
    g: F
    sigma: F | None
    options: dict[str, Any]

    def fit(self, crystal: Crystal | list[Crystal], **changed: Any) -> StructureFit:
        return fit_structure(self.r, self.g, self.sigma, crystal, **(self.options | changed))

    def misfit(self, fit: StructureFit) -> float:
        """Rw without what the noise alone would leave."""
        if self.sigma is None:
            return fit.rw
        inside = (self.r >= fit.r[0] - 1e-9) & (self.r <= fit.r[-1] + 1e-9)
        noise = np.sum(self.sigma[inside] ** 2) / np.sum(fit.observed**2)
        return float(np.sqrt(max(fit.rw**2 - noise, 0.0)))


def choose_candidate(
    r: F,
    g: F,
    g_sigma: F | None,
    cifs: Sequence[Crystal | Path | str],
    *,
    elements: Collection[str] = (),
    mixtures: bool = False,
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
    mixtures
        Try the best candidate with each other one as a second phase, too.
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
    curve = _Curve(r, g, g_sigma, options)
    tried = [_try(curve, cif, set(elements)) for cif in cifs]
    ranking = tuple(sorted(tried, key=_rank))
    if ranking[0].fit is None:
        raise DataError(
            "None of the candidates could be fitted: "
            + " ".join(f"{each.name}: {each.reason}" for each in ranking)
        )
    chosen, others = _choose(ranking, limit, margin)
    mixture = _second_phase(curve, ranking, limit, margin) if mixtures else None
    words = _sentence(chosen, others, ranking, limit)
    if mixture:
        words += (
            f" With {mixture.names[1]} as a second phase, {100 * mixture.atoms[1]:.1f} % of the "
            f"atoms, {mixture.names[0]} leaves {100 * curve.misfit(mixture.fit):.1f} %."
        )
    return Choice(chosen, others, mixture, ranking, words)


def _try(curve: _Curve, cif: Crystal | Path | str, elements: set[str]) -> Candidate:
    name = cif.name if isinstance(cif, Crystal) else Path(cif).stem
    crystal: Crystal | None = None
    try:
        crystal = cif if isinstance(cif, Crystal) else read_structure(cif)
        if elements and (others := sorted(set(crystal.elements) - elements)):
            reason = f"it holds {', '.join(others)}, which the sample does not."
            return Candidate(crystal.name, crystal, None, 1.0, 0.0, reason)
        fit = curve.fit(crystal, rmax=curve.options.get("rmin", 1.5) + _NEAR)
        if curve.misfit(fit) > _HOPELESS:
            reason = f"it does not fit the first {_NEAR:g} Å."
            strain = _strain(fit, crystal)
            return Candidate(crystal.name, crystal, fit, curve.misfit(fit), strain, reason)
        fit = curve.fit(crystal, start=fit)
    except DataError as error:
        return Candidate(crystal.name if crystal else name, crystal, None, 1.0, 0.0, str(error))
    return Candidate(crystal.name, crystal, fit, curve.misfit(fit), _strain(fit, crystal))


def _rank(candidate: Candidate) -> tuple[bool, bool, float]:
    return candidate.fit is None, bool(candidate.reason), candidate.misfit


def _strain(fit: StructureFit, crystal: Crystal, prefix: str = "") -> float:
    axes = dict(zip(("a", "b", "c"), crystal.cell[:3].tolist(), strict=True))
    found = {axis: fit.parameters.get(prefix + axis, start) for axis, start in axes.items()}
    return max(abs(found[axis] / start - 1) for axis, start in axes.items())


def _choose(
    ranking: tuple[Candidate, ...], limit: float, margin: float
) -> tuple[Candidate | None, tuple[Candidate, ...]]:
    best = ranking[0]
    if best.misfit > limit or best.reason:
        return None, ()
    equal = [
        each for each in ranking if not each.reason and each.misfit <= best.misfit * (1 + margin)
    ]
    equal.sort(key=lambda each: (_free(each), round(each.strain, 3), each.misfit))
    return equal[0], tuple(equal[1:])


def _free(candidate: Candidate) -> int:
    return len(candidate.fit.parameters) if candidate.fit else 0


def _second_phase(
    curve: _Curve, ranking: tuple[Candidate, ...], limit: float, margin: float
) -> PhaseFractions | None:
    """Find what explains, beside the best candidate, most of what that leaves."""
    best, near = ranking[0], curve.options.get("rmin", 1.5) + _NEAR
    pairs = [
        [best.crystal, each.crystal]
        for each in ranking[1:]
        if best.crystal and each.crystal and each.fit
    ]
    pairs.sort(key=lambda pair: curve.misfit(curve.fit(pair, rmax=near)))
    found: list[tuple[float, float, PhaseFractions]] = []
    for pair in pairs[:_PAIRS]:
        mixed = fit_phases(curve.r, curve.g, curve.sigma, pair, **curve.options)
        misfit = curve.misfit(mixed.fit)
        clear = mixed.atoms[1] > _SEEN * mixed.atoms_sigma[1]
        if clear and misfit < min(limit, _BETTER * best.misfit):
            strain = _strain(mixed.fit, pair[1], f"{mixed.names[1]}:")
            found.append((misfit, strain, mixed))
    least = min((misfit for misfit, _, _ in found), default=0.0)
    equal = [each for each in found if each[0] <= least * (1 + margin)]
    return min(equal, key=lambda each: round(each[1], 3))[2] if equal else None


def _sentence(
    chosen: Candidate | None,
    others: tuple[Candidate, ...],
    ranking: tuple[Candidate, ...],
    limit: float,
) -> str:
    if chosen is None:
        return (
            f"None of the {len(ranking)} structures fits alone: the best, {ranking[0].name}, "
            f"leaves {100 * ranking[0].misfit:.0f} % of G(r), at most {100 * limit:.0f} % may be."
        )
    words = f"{chosen.name} fits, leaving {100 * chosen.misfit:.1f} % of G(r)"
    behind = [each for each in ranking if each.fit and each not in (chosen, *others)]
    if others:
        names = ", ".join(each.name for each in others)
        words += f"; as well fit: {names} (it is the simpler or the less strained one)"
    elif behind:
        words += f"; the next, {behind[0].name}, leaves {100 * behind[0].misfit:.1f} %"
    if chosen.strain > _STRAIN:
        words += f". Its cell had to change by {100 * chosen.strain:.1f} %: look at that"
    return words + "."
