"""
What of a model is worth placing: its ordered, confident residues, with sensible B factors.

A predicted model carries its confidence, pLDDT, where B factors stand. It is turned into the error
that is to be expected, 1.5 exp(4 (0.7 - pLDDT)) Angstrom, and that into a B factor (M. Baek et al.,
Science 373, 871 (2021); R. D. Oeffner et al., Acta Cryst. D78, 1303 (2022)).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import DataError
from tasks.io.diffraction import F

_B_LIMITS = (5.0, 200.0)  # square Angstrom
_FEWEST = 15  # residues


@dataclass(frozen=True)
class Trimmed:
    """
    A model ready to be placed.

    Attributes
    ----------
    structure
        ``gemmi.Structure`` with one model: polymers without hydrogens and alternates.
    kept, residues
        Residues that are left, and those before.
    predicted
        Whether its B factors were confidences.
    """

    structure: Any
    kept: int
    residues: int
    predicted: bool

    @property
    def sentence(self) -> str:
        """Say what was done."""
        kind = "predicted" if self.predicted else "not a prediction"
        return f"{self.kept} of the model's {self.residues} residues were used ({kind})."


def trim(structure: Any, path: Path, plddt: float = 70.0) -> Trimmed:
    """
    Keep the polymers of the first model, and of a prediction what it is sure of.

    Parameters
    ----------
    structure
        ``gemmi.Structure``; it is not changed.
    path
        Where it was read from; databases of predictions name their files.
    plddt
        Residues below are cut away.

    Raises
    ------
    DataError
        Hardly anything is left, or the model is its own mirror image.
    """
    trimmed = structure.clone()
    while len(trimmed) > 1:
        del trimmed[-1]
    trimmed.remove_hydrogens()
    trimmed.remove_alternative_conformations()
    trimmed.remove_ligands_and_waters()
    trimmed.remove_empty_chains()
    model = trimmed[0] if len(trimmed) else None
    residues = sum(len(chain) for chain in model) if model else 0
    predicted = bool(model) and is_predicted(structure, path)
    if predicted:
        _keep_confident(model, plddt)
        trimmed.remove_empty_chains()
    kept = sum(len(chain) for chain in model) if model else 0
    if kept < _FEWEST:
        raise DataError(
            f"Of the model {path.name} {kept} residues are left ({residues} in its polymers, those "
            f"with pLDDT under {plddt:g} cut away where it is a prediction): too few to be placed."
        )
    if mirrored(model) > 0.5:
        raise DataError(
            f"The amino acids of {path.name} are left-handed images of what they should be: its "
            "coordinates were mirrored. Take the file as its program wrote it."
        )
    return Trimmed(trimmed, kept, residues, predicted)


def is_predicted(structure: Any, path: Path) -> bool:
    """
    Tell a prediction by its metadata, its name, or its B factors.

    Confidences are the same for all atoms of a residue and lie between 0 and 100 (or 1).
    """
    said = " ".join(
        [
            path.name,
            str(structure.name),
            *structure.raw_remarks[:40],
            *(structure.info[key] for key in structure.info),
        ]
    ).upper()
    if any(word in said for word in ("ALPHAFOLD", "ESMFOLD", "COLABFOLD", "PLDDT", "BOLTZ", "AF-")):
        return True
    means, spreads = _b_factors(structure[0])
    if not len(means) or float(spreads.max()) > 0.011:
        return False
    return len(np.unique(means)) > 5 and _confidence(means).mean() > 40 and means.max() <= 100


def mirrored(model: Any) -> float:
    """Return the fraction of amino acids whose C-alpha has the wrong hand."""
    wrong: list[bool] = []
    for residue in (residue for chain in model for residue in chain):
        atoms = [residue.find_atom(name, "*") for name in ("CA", "N", "C", "CB")]
        if all(atoms):
            centre, *around = (np.array(atom.pos.tolist()) for atom in atoms)
            # Seen with N, C and CB: positive for L amino acids.
            wrong.append(float(np.linalg.det(np.array(around) - centre)) < 0)
    return sum(wrong) / len(wrong) if wrong else 0.0


def b_factor(plddt: F) -> F:
    """Return B factors in square Angstrom for confidences from 0 to 100."""
    error = 1.5 * np.exp(4 * (0.7 - plddt / 100))
    return np.clip(8 * np.pi**2 / 3 * error**2, *_B_LIMITS)


def _keep_confident(model: Any, plddt: float) -> None:
    scale = 100.0 if _b_factors(model)[0].max() <= 1 else 1.0
    for chain in model:
        for number in reversed(range(len(chain))):
            confidence = scale * float(np.mean([atom.b_iso for atom in chain[number]]))
            if confidence < plddt:
                del chain[number]
                continue
            b = float(b_factor(np.array(confidence)))
            for atom in chain[number]:
                atom.b_iso = b


def _confidence(means: F) -> F:
    return means * 100 if means.max() <= 1 else means


def _b_factors(model: Any) -> tuple[F, F]:
    """Return mean and range of the B factors of each residue."""
    values = [
        np.array([atom.b_iso for atom in residue])
        for chain in model
        for residue in chain.get_polymer()
    ]
    return np.array([each.mean() for each in values]), np.array([np.ptp(each) for each in values])
