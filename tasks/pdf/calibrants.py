"""Where the rings of a standard powder lie: pyFAI's tables of calibrants, by name."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError

F = NDArray[np.float64]

_FACE_CENTRED = {"Al", "Au", "Ni", "Pt"}
"""Metals whose tables end early (Ni's after five lines) and whose other lines are known."""

_FACE_CENTRED_ENDS = 60  # h² + k² + l²: d = 0.45 A for Ni
_WEAK = 2.0  # % of the strongest line: fewer counts than a ring needs to be told from background


def calibrant_names() -> tuple[str, ...]:
    """Return the names of the calibrants that are known, sorted."""
    return tuple(sorted(_factory().keys()))


def d_spacings(name: str, *, weak: bool = False) -> F:
    """
    Look up the d spacings of a calibrant.

    Parameters
    ----------
    name
        As pyFAI names it: ``CeO2``, ``LaB6``, ``Si``, ``LaB6_SRM660c``...; capitals do not matter.
    weak
        Keep lines whose intensity is known to be below 2 % of the strongest.

    Returns
    -------
    numpy.ndarray
        A, shape (lines,), decreasing, each once. The table's end bounds what can be said about
        rings: beyond it there may be others.

    Raises
    ------
    DataError
        If there is no calibrant of that name.
    """
    known = {each.lower(): each for each in calibrant_names()}
    if name.lower() not in known:
        raise DataError(
            f"There is no calibrant called {name!r}. Known are {', '.join(calibrant_names())}."
        )
    name = known[name.lower()]
    table: Any = _factory()(name)
    found: F = np.array(table.dspacing, np.float64)  # reading it loads the table
    if not weak:
        faint = {line.dspacing for line in table.config.reflections if _is_faint(line.intensity)}
        found = np.array([d for d in found if float(d) not in faint])
    if name in _FACE_CENTRED:
        found = _face_centred(float(found[0]) * 3**0.5)
    return np.unique(found)[::-1].copy()


def _is_faint(intensity: float | None) -> bool:
    return intensity is not None and intensity < _WEAK


def _face_centred(a: float) -> F:
    indices = itertools.combinations_with_replacement(range(8), 3)
    unmixed = (hkl for hkl in indices if len({index % 2 for index in hkl}) == 1)
    squares = np.unique([sum(index**2 for index in hkl) for hkl in unmixed])
    return a / np.sqrt(squares[(squares > 0) & (squares <= _FACE_CENTRED_ENDS)])


def _factory() -> Any:
    from pyFAI.crystallography.calibrant_factory import (  # pyright: ignore[reportMissingTypeStubs]
        CALIBRANT_FACTORY,
    )

    return CALIBRANT_FACTORY
