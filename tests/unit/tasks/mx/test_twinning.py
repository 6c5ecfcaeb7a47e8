"""Twins, pseudo-translations and ice: found where they are, not where they are not."""

import numpy as np
import pytest

from tasks.mx.expected_intensity import spacings
from tasks.mx.merged_ice import merged_ice
from tasks.mx.symmetry import classes, keys, laue_rotations, positions, representatives
from tasks.mx.translational_ncs import translational_ncs
from tasks.mx.twinning import twin_laws, twinning
from tests.unit.tasks.mx.intensities import CELLS, intensities

LAW = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]])


def merged(symbol="P 43", d_min=2.3, fraction=0.0, noise=0.03, seed=1, **more):
    crystal, hkl, truth = intensities(symbol, CELLS[symbol], d_min, atoms=80, seed=seed, **more)
    proper = laue_rotations(symbol)
    table, which = classes(hkl, proper)
    value = np.bincount(which, truth) / np.bincount(which)
    order = np.argsort(keys(table))
    mate = order[positions(representatives(table @ LAW.T, proper), keys(table)[order])]
    value = (1 - fraction) * value + fraction * value[mate]
    sigma = noise * (value + value.mean() / 3)
    rng = np.random.default_rng(seed)
    return table, value + sigma * rng.normal(size=len(value)), sigma, crystal.cell, symbol


@pytest.mark.parametrize("seed", range(4))
def test_a_single_crystal_is_not_called_a_twin(seed):
    found = twinning(*merged(seed=seed))
    assert not found.warning
    assert abs(found.mean_l - 0.5) < 0.03
    assert abs(found.second_moment - 2) < 0.25
    assert found.laws[0].alpha_h < 0.05


@pytest.mark.parametrize("fraction", [0.15, 0.3, 0.45])
def test_a_twin_is_found_and_its_fraction(fraction):
    found = twinning(*merged(fraction=fraction))
    assert "twinned" in found.warning
    assert "k, h, -l" in found.warning
    (law,) = found.laws
    assert law.alpha_h == pytest.approx(fraction, abs=0.04)
    assert law.alpha_britton == pytest.approx(fraction, abs=0.05)


def test_a_perfect_twin_in_too_high_a_symmetry_is_told():
    hkl, value, sigma, cell, _ = merged(fraction=0.5)
    found = twinning(hkl, value, sigma, cell, "P 43 2 2")
    assert found.laws == ()
    assert "Laue group may be too high" in found.warning
    assert found.mean_l == pytest.approx(0.375, abs=0.02)


def test_pseudo_translations_do_not_look_like_twins():
    hkl, value, sigma, cell, group = merged(copies=[(0.02, 0.01, 0.5)])
    found = twinning(hkl, value, sigma, cell, group)
    assert not found.suspected
    assert found.second_moment > 2.3


def test_laws_are_one_of_each_coset():
    assert len(twin_laws(CELLS["P 43"], "P 43")) == 1
    assert len(twin_laws(CELLS["P 31"], "P 31")) == 3
    assert len(twin_laws(CELLS["P 43 21 2"], "P 43 21 2")) == 0


def test_a_pseudo_translation_is_found():
    hkl, value, _, cell, group = merged(copies=[(0.0, 0.0, 0.48)], d_min=3.0)
    found = translational_ncs(hkl, value, cell, group)
    assert found.suspected
    assert "pseudo-symmetry" in found.warning
    assert abs(abs(found.peaks[0].vector[2]) - 0.48) < 0.03
    assert len(found.peaks) == 1 or found.peaks[1].height < found.peaks[0].height


@pytest.mark.parametrize("seed", range(5))
def test_no_pseudo_translation_is_invented(seed):
    hkl, value, _, cell, group = merged(d_min=3.0, seed=seed)
    assert not translational_ncs(hkl, value, cell, group).warning


def test_ice_in_merged_data_is_told():
    rng = np.random.default_rng(0)
    cell = (60, 70, 80, 90, 90, 90)
    grid = np.stack(np.meshgrid(*[np.arange(40)] * 3, indexing="ij"), -1).reshape(-1, 3)[1:]
    d = spacings(grid, cell)
    d = d[d > 2.0]
    e2 = rng.exponential(size=len(d))
    assert not merged_ice(d, e2).warning
    iced = np.where(np.abs(1 / d - 1 / 3.66) < 0.0025, e2 + 1.0, e2)
    found = merged_ice(d, iced)
    assert [round(each.d, 1) for each in found.worst] == [3.7]
    assert "3.66" in found.warning
