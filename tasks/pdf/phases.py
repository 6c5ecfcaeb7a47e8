"""
How much of each phase a mixture holds, from the scales of a fit to G(r).

G(r) of a mixture is the sum of those of its phases, each weighed by its share of the atoms and the
square of their mean scattering: so a phase of heavy atoms shows more than its share. The overall
scale of the data cancels, which makes fractions better known than scales in the compatible mode.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.pdf.crystal import Crystal
from tasks.pdf.structure_fit import StructureFit, as_crystals, fit_series, fit_structure

_SEEN = 3.0  # sigma of its share, from which a phase is seen


@dataclass(frozen=True)
class PhaseFractions:
    """
    Shares of the phases of a mixture.

    Attributes
    ----------
    names
        Of the phases.
    atoms, atoms_sigma
        Share of all atoms and 1 sigma, shape (phases,).
    mass, mass_sigma
        Share of the mass and 1 sigma, shape (phases,).
    fit
        The fit that they come from.
    remarks
        Those of the fit, and which phases are not seen.
    """

    names: tuple[str, ...]
    atoms: F
    atoms_sigma: F
    mass: F
    mass_sigma: F
    fit: StructureFit
    remarks: tuple[str, ...]


def fit_phases(
    r: F, g: F, g_sigma: F | None, cifs: Sequence[Crystal | Path | str], **options: Any
) -> PhaseFractions:
    """
    Fit phases together to one G(r) and tell how much of each there is.

    Parameters
    ----------
    r, g, g_sigma, options
        As for `tasks.pdf.structure_fit.fit_structure`.
    cifs
        The structures, at least two.

    Returns
    -------
    PhaseFractions

    Raises
    ------
    DataError
        If there are not two structures, or one of them or the curve cannot be used.
    """
    crystals = _several(cifs)
    return fractions(fit_structure(r, g, g_sigma, crystals, **options), crystals)


def fit_phases_series(
    r: F,
    patterns: F,
    patterns_sigma: F | None,
    cifs: Sequence[Crystal | Path | str],
    **options: Any,
) -> list[PhaseFractions]:
    """Fit phases to the patterns (frames, points) of a series, each from the one before."""
    crystals = _several(cifs)
    fits = fit_series(r, patterns, patterns_sigma, crystals, **options)
    return [fractions(fit, crystals) for fit in fits]


def fractions(fit: StructureFit, crystals: Sequence[Crystal]) -> PhaseFractions:
    """
    Turn the scales of a fit into shares of atoms and of mass.

    Parameters
    ----------
    fit
        Of all the crystals together, their scales free.
    crystals
        In the order of the fit.

    Returns
    -------
    PhaseFractions
    """
    names = list(fit.parameters)
    where = [k for k, name in enumerate(names) if name.endswith("scale")]
    scale = np.array([fit.parameters[names[k]] for k in where])
    covariance = fit.covariance[np.ix_(where, where)]
    per_atom = 1 / np.array(fit.scattering) ** 2
    atoms, atoms_sigma = _shares(scale, covariance, per_atom)
    mass, mass_sigma = _shares(scale, covariance, per_atom * _mean_masses(crystals))
    return PhaseFractions(
        fit.structures,
        atoms,
        atoms_sigma,
        mass,
        mass_sigma,
        fit,
        fit.remarks + _unseen(fit.structures, atoms, atoms_sigma),
    )


def _several(cifs: Sequence[Crystal | Path | str]) -> list[Crystal]:
    crystals = as_crystals(cifs)
    if len(crystals) < 2:
        raise DataError("Phase fractions need at least two structures: name them in the recipe.")
    return crystals


def _shares(scale: F, covariance: F, weight: F) -> tuple[F, F]:
    """Normalise scale times weight to a sum of one, and carry the covariance along."""
    parts = scale * weight
    share = parts / max(float(parts.sum()), np.finfo(float).tiny)
    slope = (np.eye(len(share)) - share[:, None]) * weight / max(float(parts.sum()), 1e-300)
    variance = np.einsum("ij,jk,ik->i", slope, covariance, slope)
    return share, np.sqrt(np.maximum(variance, 0))


def _mean_masses(crystals: Sequence[Crystal]) -> F:
    """Mean mass of an atom of each crystal, g/mol."""
    xraydb: Any = importlib.import_module("xraydb")
    return np.array(
        [
            sum(count * xraydb.atomic_mass(name) for name, count in crystal.atoms.items())
            / sum(crystal.atoms.values())
            for crystal in crystals
        ]
    )


def _unseen(names: Sequence[str], atoms: F, sigma: F) -> tuple[str, ...]:
    return tuple(
        f"{name} is not seen: {100 * share:.1f} % of the atoms, at most {300 * each:.1f} % more."
        for name, share, each in zip(names, atoms, sigma, strict=True)
        if share < _SEEN * each
    )
