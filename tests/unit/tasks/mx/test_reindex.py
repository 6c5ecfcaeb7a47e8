"""One indexing for all data sets, and the setting that a reference wants."""

from dataclasses import replace

import gemmi
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.reference_setting import (
    read_reference_setting,
    reference_setting,
    standard_setting,
)
from tasks.mx.reindex import ambiguities, by_orientation, consistent_indexing, reindex
from tests.unit.tasks.mx.intensities import CELLS, crystal_of, intensities, sweep

SWAP = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]])


@pytest.mark.parametrize(
    ("symbol", "ways"),
    [
        ("P 43", 2),
        ("P 43 21 2", 1),
        ("P 31", 4),
        ("P 32 2 1", 2),
        ("P 65", 2),
        ("I 2 3", 2),
        ("P 21 21 21", 1),
        ("R 3:H", 2),
    ],
)
def test_merohedral_lattices_can_be_indexed_in_several_ways(symbol, ways):
    assert len(ambiguities(crystal_of(CELLS[symbol], symbol))) == ways


def several(count, degrees, noise):
    """Narrow sweeps of crystals turned at random, some indexed the other way."""
    _, hkl, truth = intensities("P 43", CELLS["P 43"], 3.2, atoms=30)
    flips = np.random.default_rng(3).random(count) < 0.5
    flips[0] = False
    sets, crystals = [], []
    for number, flip in enumerate(flips):
        crystal = crystal_of(CELLS["P 43"], "P 43", seed=number)
        seen = sweep(
            crystal, hkl, truth, degrees=degrees, start=40 * number, noise=noise, seed=number
        )
        sets.append(reindex(seen, SWAP) if flip else seen)
        crystals.append(crystal)
    return sets, crystals, flips, hkl, truth


@pytest.mark.parametrize(("count", "degrees", "noise"), [(3, 15, 2), (12, 5, 5)])
def test_data_sets_are_indexed_alike(count, degrees, noise):
    sets, crystals, flips, hkl, truth = several(count, degrees, noise)
    found = consistent_indexing(sets, crystals)
    assert [not np.array_equal(each.matrix, np.eye(3)) for each in found] == flips.tolist()
    assert all(each.sure for each in found)
    against = consistent_indexing(sets, crystals, reference=(hkl, truth))
    assert [not np.array_equal(each.matrix, np.eye(3)) for each in against] == flips.tolist()


def test_a_reference_that_is_indexed_the_other_way_turns_all():
    sets, crystals, flips, hkl, truth = several(3, 15, 2)
    other = (hkl @ SWAP.T).astype(np.int32)
    found = consistent_indexing(sets, crystals, reference=(other, truth))
    assert [np.array_equal(each.matrix, np.eye(3)) for each in found] == flips.tolist()


def test_data_sets_that_do_not_overlap_are_not_sure():
    sets, crystals, *_ = several(2, 15, 2)
    low = sets[0].take(sets[0].d > 4.5)
    high = sets[1].take(sets[1].d < 4.0)
    assert not any(each.sure for each in consistent_indexing([low, high], crystals))


def test_different_groups_are_refused():
    sets, crystals, *_ = several(2, 15, 2)
    with pytest.raises(DataError, match="one setting first"):
        consistent_indexing(sets, [crystals[0], replace(crystals[1], space_group="P 4 2 2")])


def test_sweeps_of_one_mount_agree_by_their_orientation():
    first = crystal_of(CELLS["P 21 21 21"])
    flip = np.diag([1, -1, -1])
    other = first.change_basis(flip)
    found = by_orientation([first, other])
    assert np.array_equal(found[1], flip)
    with pytest.raises(DataError, match="remounted"):
        by_orientation([first, crystal_of(CELLS["P 21 21 21"], seed=5)])


def test_i2_is_given_where_it_is_asked_for():
    asked = crystal_of((50, 61, 72, 90, 93, 90), "I 1 2 1")
    rule = reference_setting(asked, "C 1 2 1").crystal
    assert np.allclose(rule.cell, (85.48, 61, 50, 90, 122.74, 90), atol=0.01)
    again = reference_setting(rule, "I 1 2 1").crystal
    assert again.space_group == "I 1 2 1"
    assert np.allclose(again.cell, asked.cell, atol=1e-6)


def test_axes_follow_the_screws_of_the_wanted_group():
    crystal = crystal_of((30, 36, 47, 90, 90, 90), "P 2 21 21")
    found = reference_setting(crystal, "P 21 21 2")
    assert np.allclose(found.crystal.cell[2], 30)
    assert np.linalg.det(found.matrix) == pytest.approx(1)
    assert np.array_equal(standard_setting(crystal).matrix, found.matrix)


def test_a_reference_cell_orders_the_axes_and_must_fit(tmp_path):
    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup = gemmi.find_spacegroup_by_name("P 2 2 2")
    mtz.set_cell_for_all(gemmi.UnitCell(47.2, 30.1, 35.9, 90, 90, 90))
    mtz.set_data(np.array([[1, 2, 3]], dtype=np.float32))
    mtz.write_to_file(str(tmp_path / "reference.mtz"))
    group, cell = read_reference_setting(str(tmp_path / "reference.mtz"))
    crystal = crystal_of((30, 36, 47, 90, 90, 90), "P 2 2 2")
    found = reference_setting(crystal, group, cell)
    assert np.allclose(found.crystal.cell[:3], (47, 30, 36))
    assert found.misfit < 0.01
    with pytest.raises(DataError, match="no setting P 2 2 2 near"):
        reference_setting(crystal, group, (80, 30, 36, 90, 90, 90))
    with pytest.raises(DataError, match="cannot be read"):
        read_reference_setting(str(tmp_path / "missing.mtz"))
