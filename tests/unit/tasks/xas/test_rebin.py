"""Sweeps onto one grid."""

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.xas.rebin import common_range, rebin, rebin_sweeps, three_region_grid
from tests.unit.tasks.xas.sweeps_truth import E0, absorption_of, swing


def test_three_regions():
    grid = three_region_grid(6962.0, 7895.0, E0)
    steps = np.diff(grid)
    assert grid[0] >= 6962
    assert grid[-1] <= 7895
    assert np.allclose(steps[grid[:-1] < E0 - 31], 2.0)
    about = (grid[:-1] > E0 - 29) & (grid[:-1] < E0 + 49)
    assert np.allclose(steps[about], 0.25)
    k = np.sqrt(0.2624682917 * (grid[grid > E0 + 51] - E0))
    assert np.allclose(np.diff(k), 0.05, atol=1e-5)


def test_an_edge_outside_of_the_range():
    with pytest.raises(DataError, match="right element"):
        three_region_grid(7200.0, 8000.0, E0)


def test_the_range_all_or_most_sweeps_cover():
    energy = np.linspace(6960.0, 7900.0, 100) + np.arange(50)[:, None]
    energy[7, 50:] = np.nan
    assert common_range(energy) == (7009.0, energy[7, 49])
    assert common_range(energy, 0.9) == pytest.approx((7005, 7904), abs=1)


def test_the_mean_of_a_bin_is_kept_and_one_sided_points_shift_nothing():
    grid = np.arange(0.0, 100.0, 2.0)
    energy = np.sort(np.random.default_rng(0).uniform(-1, 101, (20, 900)), axis=1)
    found = rebin(energy, 3.0 + 0.5 * energy, grid)
    inner = slice(1, -1)
    assert np.abs(found.mu[:, inner] - (3 + 0.5 * grid[inner])).max() < 1e-9
    assert found.count.sum(axis=1) == pytest.approx(((energy > -1) & (energy < 99)).sum(axis=1))


def test_noise_averages_down_in_a_bin():
    grid = np.arange(0.0, 200.0, 2.0)
    energy = np.sort(np.random.default_rng(1).uniform(0, 200, (50, 2000)), axis=1)
    noise = np.random.default_rng(2).normal(0, 1, energy.shape)
    found = rebin(energy, noise, grid)
    assert found.mu.std() == pytest.approx(np.sqrt(1 / 20), rel=0.1)


def test_an_empty_bin_follows_the_curve():
    grid = np.arange(7090.0, 7160.0, 0.25)
    energy = np.arange(7080.0, 7170.0, 0.8)[None]
    found = rebin(energy, absorption_of(energy), grid)
    assert (found.count == 0).mean() > 0.6
    bent = np.abs(found.mu[0] - absorption_of(grid)).max()
    straight = np.abs(np.interp(grid, energy[0], absorption_of(energy[0])) - absorption_of(grid))
    assert bent < 0.006
    assert straight.max() > 2 * bent


def test_quick_sweeps_in_both_directions():
    energy = swing(40, 1200) + np.random.default_rng(3).normal(0, 0.01, (40, 1200))
    grid = three_region_grid(*common_range(energy), E0)
    found = rebin(energy, absorption_of(energy), grid).mu
    assert np.abs(found - absorption_of(grid)).max() < 0.01
    assert np.abs(found[::2].mean(axis=0) - found[1::2].mean(axis=0)).max() < 0.003


def test_missing_points_are_left_out_and_a_short_sweep_ends():
    grid = np.arange(0.0, 50.0, 1.0)
    energy = np.tile(np.arange(0.0, 50.0, 0.25), (3, 1))
    mu = np.sin(energy / 10)
    mu[0, 40:48] = np.nan
    mu[1, 100:] = np.nan
    mu[2] = np.nan
    found = rebin(energy, mu, grid)
    assert np.abs(found.mu[0] - np.sin(grid / 10))[1:].max() < 0.003
    assert np.isfinite(found.mu[1]).sum() == 26
    assert np.isnan(found.mu[2]).all()
    assert (found.count[2] == 0).all()


@pytest.mark.parametrize("block", [1, 300, 1 << 16])
def test_blocks_change_nothing(block, monkeypatch):
    args, _ = rebin_sweeps.cases["up_and_down"]()
    args[1][2, 40:55] = np.nan
    args[0][3] = 20 + 0.4 * args[0][3]  # a short sweep, which does not reach the ends of the grid
    expected = rebin_sweeps.implementations["reference"].function(*args)
    monkeypatch.setattr("tasks.xas.rebin._BLOCK", block)
    found = rebin_sweeps.implementations["numpy"].function(*args)
    assert np.allclose(found, expected, rtol=0, atol=1e-11, equal_nan=True)
    assert np.isnan(expected).any()
