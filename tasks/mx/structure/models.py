"""Where a model comes from: a file, a folder of predictions, or a program that predicts one."""

from __future__ import annotations

import gzip
import re
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import DataError
from tasks.mx.structure.result import ModelSource, Progress
from tasks.mx.structure.sequences import clean_sequence, identity, sequences_of

_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif", ".pdb.gz", ".ent.gz", ".cif.gz", ".mmcif.gz")
_IDENTICAL = 0.30  # least that a model of a folder must share with the sequence
_COVERED = 0.5  # of the sequence, at least


@dataclass(frozen=True)
class FoundModel:
    """
    A model file.

    Attributes
    ----------
    path
        PDB or mmCIF.
    origin
        Sentence on where it came from.
    """

    path: Path
    origin: str


def find_model(
    source: ModelSource, folder: Path, progress: Progress = lambda sentence: None
) -> FoundModel:
    """
    Find a model: the file that is given, else one of the folder, else a prediction.

    Parameters
    ----------
    source
        Where to look.
    folder
        In which a prediction may write.
    progress
        Told what is being done.

    Raises
    ------
    DataError
        There is none, or the prediction failed.
    """
    if source.file is not None:
        if not source.file.is_file():
            raise DataError(f"The model {source.file} does not exist: correct its path.")
        return FoundModel(source.file, f"The model was given: {source.file.name}.")
    sequence = clean_sequence(source.sequence)
    if source.folder is not None and (sequence or source.uniprot):
        progress(f"looking for a model in {source.folder}")
        if found := _in_folder(source.folder, sequence, source.uniprot):
            return found
    if source.command and sequence:
        progress("predicting a model")
        return _predicted(source, sequence, folder)
    raise DataError(_why_none(source, sequence))


def read_model(path: Path) -> Any:
    """
    Read a PDB or mmCIF file as ``gemmi.Structure``.

    Raises
    ------
    DataError
        It cannot be read, or has no atoms.
    """
    import gemmi

    try:
        structure = gemmi.read_structure(str(path))
    except (RuntimeError, ValueError, OSError) as error:
        raise DataError(f"{path} cannot be read as PDB or mmCIF: {error}.") from error
    if not len(structure) or not structure[0].count_atom_sites():
        raise DataError(f"{path} holds no atoms: give the file of a model.")
    structure.setup_entities()
    return structure


def _in_folder(folder: Path, sequence: str, uniprot: str) -> FoundModel | None:
    """Find by accession in the file's name or metadata, then by sequence."""
    if not folder.is_dir():
        raise DataError(f"The folder of models {folder} does not exist: correct the recipe.")
    files = sorted(_model_files(folder), reverse=True)  # of several versions the latest
    if uniprot:
        wanted = uniprot.upper()
        for path in files:
            if wanted in re.split(r"[^A-Z0-9]+", path.name.upper()):
                return FoundModel(path, f"{path.name} is named after {uniprot}.")
        for path in files:
            if wanted in _accessions(path):
                return FoundModel(path, f"{path.name} says that it is {uniprot}.")
    if not sequence:
        return None
    ranked = [(_likeness(path, sequence), path) for path in files]
    best, path = max(ranked, default=(0.0, folder))
    if best < _IDENTICAL:
        return None
    return FoundModel(path, f"{path.name} shares {best:.0%} of its residues with the sequence.")


def _model_files(folder: Path) -> Generator[Path]:
    for path in folder.rglob("*"):
        if path.name.lower().endswith(_SUFFIXES) and path.is_file():
            yield path


def _accessions(path: Path) -> set[str]:
    """Return the database accessions that a model's metadata name."""
    import gemmi

    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", errors="replace") as stream:
        text = stream.read()
    if ".pdb" in path.name.lower() or ".ent" in path.name.lower():
        lines = [line.split() for line in text.splitlines() if line.startswith("DBREF")]
        return {word.upper() for line in lines for word in line[5:9]}
    try:
        blocks = list(gemmi.cif.read_string(text))
    except (RuntimeError, ValueError):  # no CIF, so no model either
        return set()
    found = [
        gemmi.cif.as_string(each)
        for block in blocks
        for each in block.find_values("_struct_ref.pdbx_db_accession")
    ]
    return {each.upper() for each in found}


def _likeness(path: Path, sequence: str) -> float:
    """Return the best identity of a chain that covers enough of the sequence, else 0."""
    structure = _readable(path)
    if structure is None:
        return 0.0
    long_enough = [
        each for each in sequences_of(structure[0]) if len(each) >= _COVERED * len(sequence)
    ]
    return max((identity(each, sequence) for each in long_enough), default=0.0)


def _readable(path: Path) -> Any:
    """Read a file of a folder; other files than models may lie there."""
    try:
        return read_model(path)
    except DataError:
        return None


def _predicted(source: ModelSource, sequence: str, folder: Path) -> FoundModel:
    """Run the site's command: sequence in, model out."""
    output = folder / "prediction"
    output.mkdir(parents=True, exist_ok=True)
    fasta = output / "sequence.fasta"
    fasta.write_text(f">sequence\n{sequence}\n", encoding="utf-8")
    command = [
        part.replace("{fasta}", str(fasta)).replace("{output}", str(output))
        for part in source.command
    ]
    log = output / "prediction.log"
    try:
        with log.open("w", encoding="utf-8") as stream:
            code = subprocess.run(
                command,
                cwd=output,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=source.timeout,
                check=False,
            ).returncode
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"The prediction ({command[0]}) took longer than {source.timeout:.0f} s and was ended: "
            f"allow more time in the recipe, or give a model. Its log is {log}."
        ) from error
    except OSError as error:
        raise DataError(
            f"The prediction command {command[0]} cannot be started ({error.strerror}): correct "
            "the recipe."
        ) from error
    models = sorted(_model_files(output), key=lambda path: path.stat().st_mtime)
    if code or not models:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        what = f"ended with code {code}" if code else "left no model"
        raise DataError(
            f"The prediction ({command[0]}) {what}; its log {log} ends: {' / '.join(last)}"
        )
    return FoundModel(models[-1], f"The model was predicted by {Path(command[0]).name}.")


def _why_none(source: ModelSource, sequence: str) -> str:
    if not (sequence or source.uniprot):
        return (
            "There is no model: give a file, or the sequence or UniProt accession of the sample, "
            "so that a model can be looked for or predicted."
        )
    asked = source.uniprot or f"a sequence of {len(sequence)} residues"
    places = f"{source.folder} holds no model for it" if source.folder else "no folder is set"
    return (
        f"There is no model for {asked}: {places}, and no prediction command applies. Put a "
        "prediction into the folder, or give a file."
    )
