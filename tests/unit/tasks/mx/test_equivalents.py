"""Equivalents against gemmi's own asymmetric unit, one reflection at a time."""

import gemmi
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.equivalents import all_unique, equivalents, isym

GROUPS = [
    "P 1",
    "C 1 2 1",
    "I 1 2 1",
    "P 21 21 21",
    "P 43 21 2",
    "R 3:H",
    "R 3:R",
    "I 2 3",
    "F 41 3 2",
]


@pytest.mark.parametrize("symbol", GROUPS)
def test_asymmetric_unit_and_friedel_mates_are_gemmis(symbol):
    hkl = np.random.default_rng(1).integers(-12, 13, (300, 3)).astype(np.int32)
    found = equivalents(hkl, symbol)
    group = gemmi.SpaceGroup(symbol)
    region, operations = gemmi.ReciprocalAsu(group), group.operations()
    numbers = isym(hkl, found.hkl[found.of], symbol)
    for row, index in enumerate(hkl.tolist()):
        where, number = region.to_asu(index, operations)
        assert tuple(where) == tuple(found.hkl[found.of[row]])
        assert number == numbers[row]
        assert found.plus[row] == (number % 2 == 1 or operations.is_reflection_centric(index))
        assert found.absent[found.of[row]] == operations.is_systematically_absent(index)


def test_friedel_mates_are_apart_only_if_wanted():
    found = equivalents(np.array([[1, 2, 3], [-1, -2, -3], [-1, -2, 3]], np.int32), "P 1 1 2")
    assert len(set(found.groups(anomalous=False))) == 1
    plus, minus, turned = found.groups(anomalous=True)
    assert plus != minus
    assert plus == turned


def test_every_unique_reflection_is_listed_once_and_no_absent_one():
    found = all_unique((30, 40, 50, 90, 90, 90), "P 21 21 21", 3.0, 10.0)
    again = equivalents(found, "P 21 21 21")
    assert len(again.hkl) == len(found)
    assert not again.absent.any()


def test_an_unknown_symbol_is_told():
    with pytest.raises(DataError, match="P 5"):
        equivalents(np.zeros((1, 3), np.int32), "P 5")
