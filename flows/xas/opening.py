"""Opening a scan: what it is, how it was measured, and what its sweeps are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from warnings import catch_warnings

import numpy as np

from flows.xas.recipe import Recipe
from flows.xas.types import Doubts, Floats, Opened
from tasks.errors import DataError
from tasks.io.spectra import Facts, Mode, RawSpectra, ScanReference, Spectra, open_spectra
from tasks.io.xas.elements import edge_energies
from tasks.xas.absorption import Absorption, absorption
from tasks.xas.foil_seen import foil_seen
from tasks.xas.identify import agreement, identify, likely_mode
from tasks.xas.steps import FEWEST, Steps, clarity, rising
from tasks.xas.sweeps import Sweeps, find_sweeps_in

_LOOKED_AT = 20  # sweeps from which element, edge and mode are told
_STANDS_STILL = 1.0  # eV
_SAME = 1.0  # eV by which energies of sweeps may differ that are averaged point by point
_CLEAR = 5.0  # times the noise from point to point: a step that may be an edge
_SMALLEST = 0.1  # of the largest step: an edge that is named and rises less is not there
_NEAR, _WIDEST_GAP = (-10.0, 50.0), 6.0  # eV: about the edge, no two points may be farther apart
_SHORTEST = 0.8  # of the usual length: a sweep of a stream with less of it was cut off


def open_scan(recipe: Recipe, reference: ScanReference) -> Opened:
    """Open a scan and settle mode, element, edge and sweeps.

    Raises
    ------
    DataError
        It cannot be read, holds no sweep, or nothing says which edge it shows.
    """
    with open_spectra(reference) as spectra:
        sweeps = _sweeps(spectra)
        first = _first(spectra, sweeps)
        mode = _mode(recipe, spectra.facts, first)
        seen = _looked_at(absorption(first, mode, dark=recipe.dark))
        element, edge, doubts = _edge(recipe, spectra.facts, seen, reference)
        foil, no_foil, unlike = _foil(recipe, spectra.facts, element, seen)
        nominal_e0 = edge_energies(element)[edge]
        shape = spectra.shape
        if sweeps:
            shape = (len(sweeps), max(stop - start for start, stop in sweeps))
        facts = spectra.facts
        return Opened(
            spectra=reference,
            sweeps=sweeps,
            shape=shape,
            mode=mode,
            element=element,
            edge=edge,
            nominal_e0=nominal_e0,
            foil=foil,
            no_foil=no_foil,
            title=facts.title or facts.sample,
            metadata=_metadata(spectra),
            doubts={
                **doubts,
                **unlike,
                **_holes(seen, nominal_e0),
                "reading": tuple(spectra.warnings),
            },
        )


def _sweeps(spectra: Spectra) -> tuple[tuple[int, int], ...]:
    """Cut a stream at its turns; a first and a last sweep that were cut off are left out."""
    if not spectra.is_stream:
        return ()
    found = find_sweeps_in(lambda part: spectra.read(points=part).energy[0], spectra.shape[1])
    lengths = found.stops - found.starts
    whole = found.whole | (lengths >= _SHORTEST * np.median(lengths))
    if not whole.any():
        raise DataError(
            "The stream holds no whole sweep from one turning point of the monochromator to the "
            "next: it ended too early, or another column is the energy."
        )
    return _pairs(found, whole)


def _pairs(found: Sweeps, whole: Any) -> tuple[tuple[int, int], ...]:
    pairs = zip(found.starts[whole], found.stops[whole], strict=True)
    return tuple((int(start), int(stop)) for start, stop in pairs)


def _first(spectra: Spectra, sweeps: tuple[tuple[int, int], ...]) -> RawSpectra:
    """Read the first whole sweep, or the first few where they stand side by side."""
    if sweeps:
        return spectra.read(points=slice(*sweeps[0]))
    return spectra.read(sweeps=slice(0, _LOOKED_AT))


def _mode(recipe: Recipe, facts: Facts, first: RawSpectra) -> Mode:
    if recipe.mode != "auto":
        return recipe.mode
    found = facts.mode or likely_mode(first)
    if found is None:
        raise DataError(
            "The scan has neither transmission (intensities before and after the sample) nor "
            "fluorescence (counts and an incident intensity): name the columns, or check the file."
        )
    return found


@dataclass(frozen=True)
class _Curves:
    """What the first sweeps show: energy, absorption and that of the foil, (points,)."""

    energy: Floats
    mu: Floats
    reference: Floats | None


def _looked_at(first: Absorption) -> _Curves:
    """Average the first sweeps, or take the clearest where their energies differ."""
    if first.mu.shape[1] < FEWEST:
        raise DataError(
            f"The scan has {first.mu.shape[1]} points, too few for a spectrum: it was stopped as "
            "it began. Repeat it."
        )
    if np.ptp(first.energy) < _STANDS_STILL:
        raise DataError(
            f"All points have the energy {first.energy[0, 0]:.1f} eV: did the monochromator stand "
            "still, or is another column the energy?"
        )
    if np.isfinite(first.mu).sum(axis=1).max() < FEWEST:
        raise DataError(
            "There is no absorption to be seen: the readings are zero, negative or no numbers. Was "
            "the beam on, and are the columns the right ones?"
        )
    if np.ptp(first.energy, axis=0).max() < _SAME:
        with catch_warnings(action="ignore", category=RuntimeWarning):  # points that no sweep has
            mean = [None if each is None else np.nanmean(each, axis=0) for each in _parts(first)]
        return _Curves(first.energy.mean(axis=0), np.asarray(mean[0]), mean[1])
    best = int(np.argmax([clarity(*sweep) for sweep in zip(first.energy, first.mu, strict=True)]))
    mu, reference = (None if each is None else each[best] for each in _parts(first))
    return _Curves(first.energy[best], np.asarray(mu), reference)


def _parts(seen: Absorption) -> tuple[Floats, Floats | None]:
    return seen.mu, seen.reference


def _edge(
    recipe: Recipe, facts: Facts, seen: _Curves, reference: ScanReference
) -> tuple[str, str, Doubts]:
    """Settle element and edge: the recipe's word, the file's, the spectrum's, in this order."""
    identity = identify(seen.energy, seen.mu)
    element = recipe.element or facts.element
    edge = recipe.edge or (facts.edge if element == facts.element else None)
    disagreement = agreement(identity, element, edge, "recipe" if recipe.element else "file")
    best = identity.best
    if disagreement and best and not recipe.element and not _rises(seen, element, edge):
        disagreement += f" It is reduced as {best.element} {best.edge}; if that is wrong, set them "
        disagreement += "in the recipe."
        element, edge = best.element, best.edge
    if element is not None and edge is None:
        edge = next((e.edge for e in identity.candidates if e.element == element), None)
    if element is None and clarity(seen.energy, seen.mu) < _CLEAR:
        raise DataError(
            f"{Path(reference.path).name} names no edge, and none stands out of the noise from "
            f"{np.min(seen.energy):.1f} to {np.max(seen.energy):.1f} eV: was the sample in the "
            "beam? If there is one all the same, set element and edge in the recipe."
        )
    if element is None and best is not None:
        element, edge = best.element, recipe.edge or best.edge
    if element is None or edge is None:
        raise DataError(
            f"{Path(reference.path).name} does not say which edge it shows, and its largest step, "
            f"at {identity.energy:.1f} eV, fits {identity.listed}. Set element and edge in the "
            "recipe or the beamline's settings."
        )
    if edge not in edge_energies(element):
        raise DataError(f"{element} has no {edge} edge: check element and edge.")
    return element, edge, {"element": (disagreement,)} if disagreement else {}


def _rises(seen: _Curves, element: str | None, edge: str | None) -> bool:
    """Whether the spectrum rises at an edge, if not most."""
    known = edge_energies(element) if element else {}
    energies = [known[edge]] if edge in known else list(known.values())
    steps = Steps(*rising(seen.energy, seen.mu))
    least = _SMALLEST * steps.at(steps.largest())
    return any(steps.near(energy) > least for energy in energies)


def _holes(seen: _Curves, nominal_e0: float) -> Doubts:
    """Say where points are missing that the edge's shape would need."""
    energy = rising(seen.energy, seen.mu)[0]
    near = np.clip(energy, nominal_e0 + _NEAR[0], nominal_e0 + _NEAR[1])
    gaps = np.diff(near)
    if gaps.max() <= _WIDEST_GAP:
        return {}
    low, high = energy[int(np.argmax(gaps)) :][:2]
    told = f"There is no point between {low:.1f} and {high:.1f} eV: what lies between is guessed."
    return {"range": (told,)}


def _foil(
    recipe: Recipe, facts: Facts, element: str, seen: _Curves
) -> tuple[str | None, str, Doubts]:
    """Tell the reference foil; where there is none, why, and a doubt if one was named."""
    if seen.reference is None:
        return None, "there is no detector behind a reference foil", {}
    named = recipe.reference_element or facts.reference_element
    found = foil_seen(seen.energy, seen.reference, element, named)
    if found.element is not None or named is None:
        return found.element, found.reason, {}
    told = f"The energy is as it was recorded: {found.reason}. Correct the foil in the recipe."
    return None, found.reason, {"energy": (told,)}


def _metadata(spectra: Spectra) -> dict[str, Any]:
    facts = spectra.facts
    told = {
        "title": facts.title,
        "sample": facts.sample,
        "element": facts.element,
        "edge": facts.edge,
        "mode": facts.mode,
        "started_at": facts.started_at.isoformat() if facts.started_at else None,
    }
    return {**spectra.metadata, **{name: value for name, value in told.items() if value}}
