"""What the merged spectrum is like among the spectra of the libraries, or that it is like none."""

import numpy as np

from flows.xas.types import Match, Spectrum
from tasks.xas.match import match
from tasks.xas.match_confidence import answers
from tasks.xas.normalise import normalise
from tasks.xas.onset import onset
from tasks.xas.standards import Scale, Standard, prepare

SHOWN = 5


def match_spectrum(
    spectrum: Spectrum, standards: list[Standard], scale: Scale
) -> tuple[Match | None, tuple[str, ...]]:
    """Seek the spectrum among those of the libraries.

    Returns
    -------
    Match or None
        None where no library spectrum reaches far enough.
    tuple of str
        Which could not be compared, and why.
    """
    prepared = prepare(standards, spectrum.energy, spectrum.e0, spectrum.windows, scale)
    if not prepared.standards:
        return None, prepared.refused
    grid = spectrum.energy[prepared.inside]
    mu = spectrum.mu[None, prepared.inside]
    own = normalise(grid, mu, spectrum.e0, prepared.windows)
    flat = np.asarray(own.flat)
    noise = np.array([float(np.median(spectrum.sigma)) / float(own.edge_step[0])])
    found = match(grid, flat, prepared.flat, noise=noise, library_noise=prepared.noise)
    (answer,) = answers(found, [standard.compound for standard in prepared.standards])
    best = answer.candidates[:SHOWN]
    entries = [candidate.entry for candidate in best]
    shifts = [float(found.shift[0, entry]) for entry in entries]
    curves = [
        np.interp(grid - shift, grid, prepared.flat[entry])
        for entry, shift in zip(entries, shifts, strict=True)
    ]
    near = np.abs(grid - float(onset(grid, flat)[0]) - 30) < 60
    return Match(
        names=[candidate.compound for candidate in best],
        ids=[prepared.standards[entry].key for entry in entries],
        scores=[candidate.misfit for candidate in best],
        confidence=best[0].confidence if answer.compound else answer.no_match,
        is_match=answer.compound is not None,
        sentence=answer.reason,
        energy=grid[near],
        data=flat[0, near],
        candidates=np.stack(curves)[:, near],
    ), prepared.refused
