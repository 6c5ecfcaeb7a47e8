"""Space groups, indexings and copies that data leave open."""

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.structure.candidates import (
    axes_turn,
    copies_expected,
    indexings,
    space_groups_like,
)
from tasks.mx.structure.observed import Observed

CELL = (54.0, 54.0, 77.0, 90.0, 90.0, 90.0)


@pytest.mark.parametrize(
    ("group", "alike"),
    [
        ("P 4", {"P 4", "P 41", "P 42", "P 43"}),
        ("P 1 21 1", {"P 1 2 1", "P 1 21 1"}),
        ("P 3 2 1", {"P 3 2 1", "P 31 2 1", "P 32 2 1"}),
        ("P 3 1 2", {"P 3 1 2", "P 31 1 2", "P 32 1 2"}),
        ("I 2 2 2", {"I 2 2 2", "I 21 21 21"}),
        ("C 1 2 1", {"C 1 2 1"}),
        ("R 3:H", {"R 3:H"}),
        ("P 1", {"P 1"}),
    ],
)
def test_screws_tell_space_groups_apart(group, alike):
    # C 1 21 1 has the same operations as C 1 2 1 about another origin.
    assert {each for each in space_groups_like(group) if each != "C 1 21 1"} == alike


def test_three_screws_give_eight_settings():
    assert len(space_groups_like("P 2 2 2")) == 8


def merged(group, cell=CELL):
    hkl = np.array([[1, 2, 3], [3, 1, 2]], dtype=np.int32)
    one = np.ones(2)
    return Observed(hkl, one, one, None, cell, group)


def test_a_merohedral_point_group_has_two_indexings():
    assert len(indexings(merged("P 4"))) == 2
    assert indexings(merged("P 4 2 2")) == ("h,k,l",)
    assert len(indexings(merged("P 3", (60.0, 60.0, 90.0, 90.0, 90.0, 120.0)))) == 4


def test_turned_axes_leave_a_molecule_what_it_is():
    data = merged("P 3", (60.0, 60.0, 90.0, 90.0, 90.0, 120.0))
    for triplet in indexings(data):
        turn = axes_turn(triplet, data.cell)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(turn) == pytest.approx(1)
        other = data.reindexed(triplet)
        np.testing.assert_allclose(other.resolution, data.resolution)


def test_copies_by_volume():
    # Interleukin-1 receptor antagonist and others: 17 kDa, 3.3 A^3/Da alone
    assert copies_expected(17_000.0, CELL, "P 43") == 1
    assert copies_expected(17_000.0, (108.0, 54.0, 77.0, 90.0, 90.0, 90.0), "P 21 21 21") == 3
    with pytest.raises(DataError, match="does not fit"):
        copies_expected(60_000.0, CELL, "P 43")
