"""Opening a scan: what it is, how it was measured, and what its sweeps are."""

from typing import Any

import numpy as np

from flows.xas.recipe import Recipe
from flows.xas.types import Doubts, Opened
from tasks.errors import DataError
from tasks.io.spectra import Facts, Mode, RawSpectra, ScanReference, Spectra, open_spectra
from tasks.io.xas.elements import edge_energies
from tasks.xas.absorption import absorption
from tasks.xas.identify import Identity, agreement, identify, likely_mode
from tasks.xas.sweeps import Sweeps, find_sweeps_in

_LOOKED_AT = 20  # sweeps from which element, edge and mode are told
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
        identity = _identity(first, mode)
        element, edge, doubts = _edge(recipe, spectra.facts, identity, reference)
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
            nominal_e0=edge_energies(element)[edge],
            foil=_foil(recipe, facts, element, first),
            title=facts.title or facts.sample,
            metadata=_metadata(spectra),
            doubts=doubts | {"reading": tuple(spectra.warnings)},
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


def _identity(first: RawSpectra, mode: Mode) -> Identity:
    """Look at the steps of the first sweeps, averaged point by point."""
    seen = absorption(first, mode)
    same = np.ptp(seen.energy, axis=0).max() < 1.0 if len(seen.energy) > 1 else True
    if same and len(seen.energy) > 1:
        with np.errstate(invalid="ignore"):
            return identify(seen.energy.mean(axis=0), np.nanmean(seen.mu, axis=0))
    return identify(seen.energy[0], seen.mu[0])


def _edge(
    recipe: Recipe, facts: Facts, identity: Identity, reference: ScanReference
) -> tuple[str, str, Doubts]:
    """Settle element and edge: the recipe's word, the file's, the spectrum's, in this order."""
    element = recipe.element or facts.element
    edge = recipe.edge or (facts.edge if element == facts.element else None)
    disagreement = agreement(identity, element, edge)
    doubts: Doubts = {"element": (disagreement,)} if disagreement else {}
    if element is not None and edge is None:
        edge = next((e.edge for e in identity.candidates if e.element == element), None)
    if element is None and identity.best is not None:
        element, edge = identity.best.element, recipe.edge or identity.best.edge
    if element is None or edge is None:
        raise DataError(
            f"{reference.path} does not say which edge it shows, and that is {identity}. Set "
            "element and edge in the recipe, or in the beamline's rules."
        )
    if edge not in edge_energies(element):
        raise DataError(f"{element} has no {edge} edge: check element and edge.")
    return element, edge, doubts


def _foil(recipe: Recipe, facts: Facts, element: str, first: RawSpectra) -> str | None:
    """Return the foil's element if its channel is there."""
    there = "reference" in first.mu or (first.i1 is not None and first.i2 is not None)
    return (recipe.reference_element or facts.reference_element or element) if there else None


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
