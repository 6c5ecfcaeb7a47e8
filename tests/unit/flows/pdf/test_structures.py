"""Structures that a recipe names: texts of CIFs, and files of the beamline alone."""

import pytest

from flows.pdf.structures import structure_source
from tasks.errors import DataError

CIF = "data_Ni\n_cell_length_a 3.524\n"


@pytest.fixture
def folders(tmp_path):
    """Return two folders of a beamline, beside a secret."""
    for name in ("raw", "more"):
        (tmp_path / name).mkdir()
    (tmp_path / "raw" / "Ni.cif").write_text(CIF)
    (tmp_path / "more" / "deep").mkdir()
    (tmp_path / "more" / "deep" / "Cu.CIF").write_text(CIF)
    (tmp_path / "more" / "notes.txt").write_text(CIF)
    (tmp_path / "secret.cif").write_text(CIF)
    (tmp_path / "raw" / "link.cif").symlink_to(tmp_path / "secret.cif")
    return tmp_path / "raw", tmp_path / "more"


def test_a_text_is_taken_as_it_is(folders):
    assert structure_source(CIF, folders) == CIF


def test_a_file_is_found_in_any_folder_of_the_beamline(folders):
    assert structure_source("Ni.cif", folders) == folders[0] / "Ni.cif"
    assert structure_source("deep/Cu.CIF", folders) == folders[1] / "deep" / "Cu.CIF"
    whole = str(folders[0] / "Ni.cif")
    assert structure_source(whole, folders) == folders[0] / "Ni.cif"


@pytest.mark.parametrize(
    "given", ["../secret.cif", "link.cif", "none.cif", "raw", "x" * 5000, "a\0b"]
)
def test_nothing_else_is_read(folders, given):
    with pytest.raises(DataError, match="no file in the beamline's folders"):
        structure_source(given, folders)


def test_a_whole_path_outside_is_not_read(folders, tmp_path):
    with pytest.raises(DataError, match="no file in the beamline's folders"):
        structure_source(str(tmp_path / "secret.cif"), folders)


def test_a_file_of_another_kind_is_no_structure(folders):
    with pytest.raises(DataError, match=r"notes\.txt is no CIF"):
        structure_source("notes.txt", folders)
