"""Integration by DIALS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.dials_table import DialsFlag, read_reflections
from tasks.io.diffraction import F
from tasks.mx import ice
from tasks.mx.dials.commands import Dials
from tasks.mx.dials.index import REFINED
from tasks.mx.reflections import Flag, Reflections

INTEGRATED = "integrated"
_WHOLE = 0.99
_MEANS = {
    Flag.OVERLOADED: DialsFlag.OVERLOADED,
    Flag.INCOMPLETE: DialsFlag.FOREGROUND_INCLUDES_BAD_PIXELS,
    Flag.NEIGHBOUR: DialsFlag.OVERLAPPED_FG,
    Flag.NO_BACKGROUND: DialsFlag.FAILED_DURING_BACKGROUND_MODELLING,
}


def integrate(dials: Dials, d_min: float) -> Reflections:
    """
    Integrate the sweep that was indexed and refined in the folder.

    Parameters
    ----------
    d_min
        Resolution to predict to, in Angstrom.

    Raises
    ------
    DataError
        DIALS is not installed or failed.
    """
    dials.run(
        "dials.integrate",
        f"{REFINED}.expt",
        f"{REFINED}.refl",
        f"output.experiments={INTEGRATED}.expt",
        f"output.reflections={INTEGRATED}.refl",
        f"prediction.d_min={d_min:.3f}",
        f"nproc={dials.cores}",
    )
    return reflections_of(read_reflections(dials.file(f"{INTEGRATED}.refl")))


def reflections_of(table: Mapping[str, NDArray[Any]]) -> Reflections:
    """Return the reflections of DIALS' table that were integrated by summation."""
    flags = np.asarray(table["flags"]).astype(np.int64)
    rows = np.flatnonzero((flags & int(DialsFlag.INTEGRATED_SUM)) != 0)
    flags = flags[rows]

    def column(name: str) -> F:
        return np.asarray(table[name], dtype=np.float64)[rows]

    fitted = (flags & int(DialsFlag.INTEGRATED_PRF)) != 0
    d, partiality = column("d"), column("partiality")
    observed = (flags & int(DialsFlag.STRONG)) != 0
    efficiency = column("dqe") if "dqe" in table else np.ones(len(rows))
    return Reflections(
        hkl=np.asarray(table["miller_index"], dtype=np.int32)[rows],
        xyz=column("xyzcal.px"),
        s1=column("s1"),
        d=d,
        summed=column("intensity.sum.value"),
        summed_sigma=np.sqrt(np.maximum(column("intensity.sum.variance"), 0.0)),
        fitted=np.where(fitted, column("intensity.prf.value"), np.nan),
        fitted_sigma=np.where(
            fitted, np.sqrt(np.maximum(column("intensity.prf.variance"), 0.0)), np.nan
        ),
        background=column("background.mean"),
        correction=column("lp") / efficiency,
        partiality=partiality,
        correlation=np.where(fitted, column("profile.correlation"), np.nan),
        observed=np.where(observed[:, None], column("xyzobs.px.value"), np.nan),
        flags=_flags(flags, fitted, partiality, d),
        sweep=np.zeros(len(rows), dtype=np.int32),
    )


def _flags(
    theirs: NDArray[np.int64], fitted: NDArray[np.bool_], partiality: F, d: F
) -> NDArray[np.int32]:
    found = np.zeros(len(theirs), dtype=np.int32)
    for ours, its in _MEANS.items():
        found[(theirs & int(its)) != 0] |= int(ours)
    found[~fitted] |= int(Flag.NO_PROFILE)
    found[partiality < _WHOLE] |= int(Flag.PARTIAL)
    found[ice.on_ring(d)] |= int(Flag.ICE)
    return found
