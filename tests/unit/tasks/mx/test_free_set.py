"""The free set: the same for a sample, a twentieth, fair to twins, true to a reference."""

import gemmi
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.free_set import free_set, free_value, read_free_flags
from tasks.mx.symmetry import laue_rotations, representatives
from tests.unit.tasks.mx.intensities import CELLS, crystal_of, indices

P43 = CELLS["P 43"]


def hkl_of(symbol="P 43", d_min=2.5):
    return indices(crystal_of(CELLS[symbol], symbol), d_min)


def test_it_is_a_twentieth_in_every_shell_and_the_same_again():
    hkl = hkl_of()
    flags = free_set("lysozyme 7", P43, "P 43").flags(hkl)
    assert np.array_equal(flags, free_set("lysozyme 7", P43, "P 43").flags(hkl))
    assert not np.array_equal(flags, free_set("lysozyme 8", P43, "P 43").flags(hkl))
    counts = np.bincount(flags, minlength=20) / len(flags)
    assert len(counts) == 20
    assert np.abs(counts - 0.05).max() < 0.02
    shells = np.array_split(np.argsort(np.sum(hkl**2, axis=1)), 4)
    assert all(0.02 < np.mean(flags[rows] == 0) < 0.08 for rows in shells)


def test_flags_are_frozen():
    hkl = np.array([[1, 2, 3], [4, 0, 0], [7, -2, 5], [0, 0, 8], [3, 3, 1]], dtype=np.int32)
    flags = free_set("thaumatin", P43, "P 43").flags(hkl)
    assert flags.tolist() == [9, 12, 1, 17, 7]


def test_equivalents_twin_mates_and_other_sizes_share_flags():
    hkl = hkl_of()
    some = free_set("s", P43, "P 43")
    flags = some.flags(hkl)
    for matrix in (*laue_rotations("P 4 2 2"), -np.eye(3, dtype=int)):
        assert np.array_equal(some.flags((hkl @ matrix.T).astype(np.int32)), flags)
    swollen = free_set("s", (36.3, 36.3, 61.7, 90, 90, 90), "P 43 21 2")
    assert np.array_equal(swollen.flags(hkl), flags)


def test_a_reference_goes_first_and_is_continued():
    rng = np.random.default_rng(0)
    hkl = representatives(hkl_of(d_min=3.5), laue_rotations("P 43"))
    hkl = np.unique(hkl, axis=0)
    for flags, test in (
        (rng.integers(0, 20, len(hkl)), 0),
        ((rng.random(len(hkl)) < 0.05).astype(int), 1),
        (np.where(rng.random(len(hkl)) < 0.05, 0, 1), 0),
    ):
        some = free_set("s", P43, "P 43").extended(hkl, flags)
        assert np.array_equal(some.free(hkl), flags == test)
        more = hkl_of(d_min=2.6)
        assert 0.03 < some.free(more).mean() < 0.07
        mates = (hkl @ laue_rotations("P 43")[1].T).astype(np.int32)
        assert np.array_equal(some.free(-mates), flags == test)


def test_a_mate_outside_of_the_reference_follows_its_twin():
    hkl = np.array([[1, 2, 3]], dtype=np.int32)
    some = free_set("s", P43, "P 43").extended(hkl, np.array([0]), test=0)
    assert some.free(np.array([[2, 1, -3]], dtype=np.int32))[0]


def test_a_reference_file_is_read(tmp_path):
    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup = gemmi.find_spacegroup_by_name("P 43")
    mtz.set_cell_for_all(gemmi.UnitCell(*P43))
    hkl = hkl_of(d_min=4.0)
    flags = np.arange(len(hkl)) % 20
    mtz.set_data(hkl.astype(np.float32))
    mtz.write_to_file(str(tmp_path / "bare.mtz"))
    with pytest.raises(DataError, match="no column of free flags"):
        read_free_flags(tmp_path / "bare.mtz")
    mtz.add_column("FreeR_flag", "I")
    mtz.set_data(np.column_stack([hkl, flags]).astype(np.float32))
    mtz.write_to_file(str(tmp_path / "free.mtz"))
    found, read = read_free_flags(tmp_path / "free.mtz")
    assert np.array_equal(found, hkl)
    assert np.array_equal(read, flags)
    with pytest.raises(DataError, match="cannot be read"):
        read_free_flags(tmp_path / "missing.mtz")


def test_columns_that_mark_no_free_set_are_refused():
    with pytest.raises(DataError, match="no plausible free set"):
        free_value(np.zeros(100, dtype=int))
    with pytest.raises(DataError, match="no plausible free set"):
        free_value(np.arange(100) % 2)
