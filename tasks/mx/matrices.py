"""numpy's and scipy's functions with the types that they have here."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.io.diffraction import F


def inverse(matrix: F) -> F:
    """Return the inverse of a matrix, or of each of a stack."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def cholesky(matrix: F) -> F:
    """Return the lower triangle L of a positive matrix L L^T."""
    return np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)


def svd(matrix: F) -> tuple[F, F, F]:
    """Return the singular value decomposition: U, the values, V^T."""
    left, values, right = np.linalg.svd(matrix)
    return np.asarray(left), np.asarray(values), np.asarray(right)


def lengths(vectors: F) -> F:
    """Return the length of each row, (n,)."""
    return np.asarray(np.linalg.norm(vectors, axis=1), dtype=np.float64)


def from_scipy(module: str) -> Any:
    """Return a module of scipy, which has no types, when it is needed."""
    import importlib

    return importlib.import_module(f"scipy.{module}")
