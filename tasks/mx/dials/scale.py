"""Symmetry and scaling by DIALS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse  # pyright: ignore[reportMissingTypeStubs]
import scipy.sparse.linalg  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from tasks.io.dials import Experiment, read_experiments
from tasks.io.dials_table import DialsFlag, read_reflections
from tasks.io.diffraction import F
from tasks.mx.dials.commands import Dials
from tasks.mx.dials.integrate import INTEGRATED, reflections_of
from tasks.mx.equivalents import equivalents
from tasks.mx.error_model import ErrorModel
from tasks.mx.geometry import from_laboratory
from tasks.mx.reflections import Observations
from tasks.mx.scale import Scaled
from tasks.mx.scale_model import ScaleModel, design, scale_model

_sparse: Any = scipy.sparse
_linalg: Any = scipy.sparse.linalg
SYMMETRISED, SCALED = "symmetrized", "scaled"
_LEFT_OUT = (
    DialsFlag.EXCLUDED_FOR_SCALING
    | DialsFlag.USER_EXCLUDED_IN_SCALING
    | DialsFlag.OUTLIER_IN_SCALING
)


def scale(dials: Dials, *, anomalous: bool, d_min: float | None = None) -> Scaled:
    """
    Determine the symmetry of the sweep that was integrated in the folder, and scale it.

    Raises
    ------
    DataError
        DIALS is not installed or failed.
    """
    names = [f"{INTEGRATED}.expt", f"{INTEGRATED}.refl"]
    dials.run(
        "dials.symmetry",
        *names,
        f"output.experiments={SYMMETRISED}.expt",
        f"output.reflections={SYMMETRISED}.refl",
    )
    limit = [] if d_min is None else [f"d_min={d_min:.3f}"]
    dials.run(
        "dials.scale",
        f"{SYMMETRISED}.expt",
        f"{SYMMETRISED}.refl",
        f"anomalous={anomalous}",
        f"output.experiments={SCALED}.expt",
        f"output.reflections={SCALED}.refl",
        *limit,
    )
    experiment = read_experiments(dials.file(f"{SCALED}.expt"))[0]
    table = read_reflections(dials.file(f"{SCALED}.refl"))
    return scaled_of(experiment, table, anomalous=anomalous)


def scaled_of(
    experiment: Experiment, table: Mapping[str, NDArray[Any]], *, anomalous: bool
) -> Scaled:
    """
    Return what DIALS scaled, of its experiment and its table.

    Intensities, sigmas and scales are DIALS'. Our smooth model is fitted to its scales, to be
    drawn.
    """
    if experiment.crystal is None:
        raise ValueError("scaled data have a crystal")
    flags = np.asarray(table["flags"]).astype(np.int64)
    good = np.flatnonzero((flags & int(DialsFlag.INTEGRATED_SUM)) != 0)
    observations = _observations(experiment, table)
    factor = np.asarray(table["inverse_scale_factor"], dtype=np.float64)[good]
    value = np.asarray(table["intensity.scale.value"], dtype=np.float64)[good]
    variance = np.asarray(table["intensity.scale.variance"], dtype=np.float64)[good]
    known = (factor > 0) & (variance > 0)
    safe = np.where(known, factor, 1.0)
    kept = known & ((flags[good] & int(_LEFT_OUT)) == 0)
    crystal = experiment.crystal
    return Scaled(
        observations=observations,
        scale=safe,
        intensity=value / safe,
        sigma=np.sqrt(np.where(known, variance, 1.0)) / safe,
        usable=known,
        kept=kept,
        symmetry=equivalents(observations.hkl, crystal.space_group),
        cell=crystal.cell,
        space_group=crystal.space_group,
        anomalous=anomalous,
        model=_model(experiment, observations, safe, kept),
        errors=ErrorModel(a=1.0, b=0.0),
    )


def _observations(experiment: Experiment, table: Mapping[str, NDArray[Any]]) -> Observations:
    found = reflections_of(table)
    is_fitted = np.isfinite(found.fitted)
    factor = found.correction / np.maximum(found.partiality, 1e-3)
    return Observations(
        hkl=found.hkl,
        intensity=factor * np.where(is_fitted, found.fitted, found.summed),
        sigma=factor * np.where(is_fitted, found.fitted_sigma, found.summed_sigma),
        d=found.d,
        xyz=found.xyz,
        s1=from_laboratory(experiment.geometry, found.s1, found.xyz[:, 2]),
        sweep=found.sweep,
        flags=found.flags,
    )


def _model(
    experiment: Experiment, observations: Observations, factor: F, kept: NDArray[np.bool_]
) -> ScaleModel:
    empty = scale_model(observations, [experiment.geometry.rotation], absorption=0)
    rows = design(empty, observations)
    count = len(rows.columns)
    at = np.repeat(np.arange(count), rows.columns.size // max(count, 1))
    shape = (count, len(empty.values))
    matrix = _sparse.csr_matrix((rows.values.ravel(), (at, rows.columns.ravel())), shape)
    values: F = _linalg.lsqr(matrix[kept], np.log(factor[kept]), damp=0.1)[0]
    return replace(empty, values=values)
