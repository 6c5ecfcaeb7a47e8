"""Models from files, folders and prediction commands, and what is left of them."""

import sys

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.structure.models import find_model, read_model
from tasks.mx.structure.result import ModelSource
from tasks.mx.structure.sequences import clean_sequence, identity, sequences_of
from tasks.mx.structure.trimming import b_factor, trim
from tests.unit.tasks.mx.structure import molecules

SEQUENCE = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRV"


def renamed(structure, sequence):
    import gemmi

    for residue, letter in zip(structure[0][0], sequence, strict=True):
        residue.name = gemmi.expand_one_letter(letter, gemmi.ResidueKind.AA)
    structure.setup_entities()
    return structure


def write(path, sequence=SEQUENCE, seed=0):
    structure = renamed(molecules.molecule(seed, len(sequence)), sequence)
    path.parent.mkdir(parents=True, exist_ok=True)
    structure.write_pdb(str(path))
    return path


def test_a_file_is_taken_as_it_is(tmp_path):
    path = write(tmp_path / "mine.pdb")
    assert find_model(ModelSource(file=path), tmp_path).path == path
    with pytest.raises(DataError, match="does not exist"):
        find_model(ModelSource(file=tmp_path / "no.pdb"), tmp_path)
    (tmp_path / "bad.pdb").write_text("nothing\n")
    with pytest.raises(DataError, match="no atoms"):
        read_model(tmp_path / "bad.pdb")


def test_a_folder_is_searched_by_accession_and_by_sequence(tmp_path):
    folder = tmp_path / "predictions"
    other = SEQUENCE[::-1]
    write(folder / "AF-P12345-F1-model_v3.pdb")
    latest = write(folder / "AF-P12345-F1-model_v4.pdb")
    near = write(folder / "deep/near.pdb", SEQUENCE[:20] + "GGGG" + SEQUENCE[24:])
    write(folder / "other.pdb", other)
    (folder / "notes.cif").write_text("not a model")
    by_name = find_model(ModelSource(folder=folder, uniprot="p12345"), tmp_path)
    assert by_name.path == latest
    latest.unlink()
    (folder / "AF-P12345-F1-model_v3.pdb").unlink()
    by_sequence = find_model(ModelSource(folder=folder, sequence=f">x\n{SEQUENCE}\n"), tmp_path)
    assert by_sequence.path == near
    assert "90%" in by_sequence.origin
    with pytest.raises(DataError, match="no model for"):
        find_model(ModelSource(folder=folder, sequence="W" * 40), tmp_path)


def test_an_accession_stands_in_the_metadata_too(tmp_path):
    path = write(tmp_path / "m/target.pdb")
    line = "DBREF  1ABC A    1    40  UNP    Q99999   SOME_HUMAN       1     40\n"
    path.write_text(line + path.read_text())
    found = find_model(ModelSource(folder=tmp_path / "m", uniprot="Q99999"), tmp_path)
    assert found.path == path
    assert "says that it is Q99999" in found.origin


PREDICT = """
import pathlib, shutil, sys
sequence, output, template = sys.argv[1:]
assert pathlib.Path(sequence).read_text().startswith(">")
print("weights are loaded")
if template == "fail": sys.exit("out of memory")
if template == "sleep": import time; time.sleep(60)
shutil.copy(template, pathlib.Path(output) / "rank_1.pdb")
"""


def predicted(tmp_path, template, timeout=30.0):
    command = (sys.executable, "-c", PREDICT, "{fasta}", "{output}", str(template))
    source = ModelSource(command=command, sequence=SEQUENCE, timeout=timeout)
    return find_model(source, tmp_path)


def test_a_command_predicts_a_model(tmp_path):
    found = predicted(tmp_path, write(tmp_path / "t.pdb"))
    assert found.path == tmp_path / "prediction/rank_1.pdb"
    assert "weights are loaded" in (tmp_path / "prediction/prediction.log").read_text()


def test_a_prediction_that_fails_says_why(tmp_path):
    with pytest.raises(DataError, match=r"ended with code 1.*out of memory"):
        predicted(tmp_path, "fail")
    with pytest.raises(DataError, match="took longer than 1 s"):
        predicted(tmp_path, "sleep", timeout=1.0)
    with pytest.raises(DataError, match="cannot be started"):
        find_model(ModelSource(command=("no-such-program",), sequence=SEQUENCE), tmp_path)
    with pytest.raises(DataError, match="There is no model"):
        find_model(ModelSource(), tmp_path)


def test_sequences():
    assert clean_sequence(">a b\nMK T\nay*\n") == "MKTAY"
    with pytest.raises(DataError, match="are no residues"):
        clean_sequence("MK-7")
    assert identity("ACDEFG", "ACDEFG") == 1
    assert identity("ACDEFGHIKL", "CDEFGHIKLM") == 0.9
    model = renamed(molecules.molecule(0, 40), SEQUENCE)
    assert sequences_of(model[0]) == (SEQUENCE,)


def test_predictions_lose_what_they_are_not_sure_of(tmp_path):
    structure = molecules.molecule(0, 60)
    confidence = np.linspace(99.0, 40.0, 60)
    for residue, value in zip(structure[0][0], confidence, strict=True):
        for atom in residue:
            atom.b_iso = float(value)
    trimmed = trim(structure, tmp_path / "anything.pdb", plddt=70)
    assert trimmed.predicted
    assert trimmed.kept == np.count_nonzero(confidence >= 70)
    first = trimmed.structure[0][0][0][0].b_iso
    assert first == pytest.approx(float(b_factor(np.array(99.0))), abs=0.01)
    assert b_factor(np.array(70.0)) == pytest.approx(8 * np.pi**2 / 3 * 1.5**2)
    assert structure[0][0][0][0].b_iso == pytest.approx(99)
    with pytest.raises(DataError, match="too few"):
        trim(structure, tmp_path / "anything.pdb", plddt=95)


def test_a_measured_model_keeps_its_b_factors(tmp_path):
    structure = molecules.molecule(0, 40)
    trimmed = trim(structure, tmp_path / "measured.pdb")
    assert not trimmed.predicted
    assert trimmed.kept == 40
    assert trimmed.structure[0][0][3][1].b_iso == structure[0][0][3][1].b_iso


def test_a_mirrored_model_is_refused(tmp_path):
    mirrored = molecules.molecule(0, 40)
    for each in mirrored[0].all():
        each.atom.pos.x = -each.atom.pos.x
    with pytest.raises(DataError, match="mirrored"):
        trim(mirrored, tmp_path / "mirrored.pdb")
