"""What solving a structure needs to be told, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Progress = Callable[[str], None]
"""Takes one sentence at a time about what is being done."""


@dataclass(frozen=True)
class ModelSource:
    """
    Where a model may come from; the first that is given is taken.

    Attributes
    ----------
    file
        PDB or mmCIF.
    folder
        Of predictions or other models, searched by UniProt id and by sequence.
    command
        Program and arguments that predict a structure, run without a shell: ``{fasta}`` and
        ``{output}`` stand for a file with the sequence and a folder for the model.
    sequence
        One-letter code of the molecule; empty if not known.
    uniprot
        Accession, e.g. P01584; empty if not known.
    timeout
        Seconds that the command may take.
    """

    file: Path | None = None
    folder: Path | None = None
    command: tuple[str, ...] = ()
    sequence: str = ""
    uniprot: str = ""
    timeout: float = 3600.0

    @property
    def given(self) -> bool:
        """Whether there is anything to look for."""
        wanted = self.sequence or self.uniprot
        return self.file is not None or bool(wanted and (self.folder or self.command))


@dataclass(frozen=True)
class StructureSettings:
    """
    Parameters of molecular replacement, refinement and the search for blobs.

    Attributes
    ----------
    plddt
        Residues that were predicted with less confidence are cut away, 0 to 100.
    copies
        Molecules in the asymmetric unit; 0: as many as the volume per dalton suggests.
    d_min
        Resolution of molecular replacement in Angstrom; finer data are left out there.
    cycles
        Of refinement.
    blobs
        How many are listed at most.
    pictures
        How many of them are drawn.
    monomers
        Folder of a monomer library; empty: CLIBD_MON, CCP4, or what is installed.
    """

    plddt: float = 70.0
    copies: int = 0
    d_min: float = 3.5
    cycles: int = 10
    blobs: int = 20
    pictures: int = 5
    monomers: str = ""


@dataclass(frozen=True)
class Candidate:
    """
    A space group with the best placement that was found in it.

    Attributes
    ----------
    space_group
        Hermann-Mauguin symbol.
    reindex
        Triplet that takes the data's indices to the candidate's, ``h,k,l`` if they are the same.
    cc
        Correlation of observed and calculated normalised intensities.
    llg
        Log-likelihood gain over a random structure.
    z
        Of the translation function, in sigmas of its map.
    clashes
        Fraction of the C-alpha atoms (P of nucleic acids) that touch a neighbouring molecule.
    """

    space_group: str
    reindex: str
    cc: float
    llg: float
    z: float
    clashes: float


@dataclass(frozen=True)
class Blob:
    """
    Density that the model does not explain.

    Attributes
    ----------
    position
        x, y, z in Angstrom, in the image nearest to the model.
    electrons
        Integral of the difference density over the blob.
    peak
        Of the difference map, in its sigmas.
    volume
        In cubic Angstrom.
    nearest, distance
        The nearest residue, e.g. ``A 45 LYS``, and how far it is, in Angstrom.
    """

    position: tuple[float, float, float]
    electrons: float
    peak: float
    volume: float
    nearest: str
    distance: float


@dataclass(frozen=True)
class Cycle:
    """R factors, and deviations from ideal geometry (Angstrom, degrees), after a cycle."""

    r_work: float
    r_free: float
    bonds: float
    angles: float


@dataclass(frozen=True)
class StructureResult:
    """
    A refined structure.

    Attributes
    ----------
    space_group, reindex
        Of the structure; see `Candidate`.
    copies
        Molecules in the asymmetric unit.
    candidates
        All space groups that were tried, best first.
    gap
        Log-likelihood gain of the best above the next space group; NaN if there is none.
    r_work, r_free, bonds, angles
        After the last cycle; see `Cycle`.
    cycles
        Before the first and after each.
    model_origin, residues_kept
        Sentence on where the model came from, and how many of its residues were used.
    blobs
        Strongest first.
    model, mtz, maps, pictures, log
        Files: refined model (mmCIF), data with map coefficients (MTZ), 2Fo-Fc and Fo-Fc (CCP4),
        PNG pictures by name, the refinement's log.
    notes
        Sentences for the reader.
    """

    space_group: str
    reindex: str
    copies: int
    candidates: tuple[Candidate, ...]
    gap: float
    r_work: float
    r_free: float
    bonds: float
    angles: float
    cycles: tuple[Cycle, ...]
    model_origin: str
    residues_kept: int
    blobs: tuple[Blob, ...]
    model: Path
    mtz: Path
    maps: tuple[Path, Path]
    pictures: dict[str, Path]
    log: Path
    notes: tuple[str, ...] = field(default=())
