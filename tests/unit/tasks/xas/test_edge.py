import array_api_strict
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.xas.edge import find_e0

GRID = np.r_[np.arange(6950, 7090, 5.0), np.arange(7090, 7150, 0.25), np.arange(7150, 7600, 4.0)]
EDGES = np.array([[7105.0], [7112.0], [7119.25], [7128.0]])


def spectra(grid=GRID, edges=EDGES, width=1.5):
    return 0.5 + np.arctan((grid - edges) / width) / np.pi


def test_the_edges_of_smooth_steps_are_found_to_the_grid_point():
    assert np.abs(find_e0(GRID, spectra()) - EDGES[:, 0]).max() <= 0.25


def test_noise_moves_an_edge_by_little():
    noisy = spectra() + np.random.default_rng(1).normal(0, 0.003, (4, len(GRID)))
    assert np.abs(find_e0(GRID, noisy) - EDGES[:, 0]).max() <= 1.0


def test_a_glitch_of_one_point_is_no_edge():
    mu = spectra()
    mu[1, np.searchsorted(GRID, 7140)] += 0.5
    assert abs(find_e0(GRID, mu)[1] - 7112) <= 0.5


def test_a_glitch_at_the_start_is_no_edge():
    mu = spectra()
    mu[1, :3] -= 3.0
    assert abs(find_e0(GRID, mu)[1] - 7112) <= 0.5


def test_gain_and_offset_do_not_matter():
    assert np.array_equal(find_e0(GRID, 7e-4 * spectra() + 3), find_e0(GRID, spectra()))


def test_spectra_do_not_know_of_each_other():
    mu = spectra() + np.random.default_rng(2).normal(0, 0.01, (4, len(GRID)))
    alone = np.concatenate([find_e0(GRID, each[None]) for each in mu])
    assert np.array_equal(find_e0(GRID, mu), alone)


def test_what_is_not_a_number_or_flat_has_no_edge_and_the_rest_has():
    mu = spectra()
    mu[0, 50] = np.nan
    mu[2] = 1.0
    mu[3, 20] = np.inf
    found = find_e0(GRID, mu)
    assert np.isnan(found[[0, 2, 3]]).all()
    assert abs(found[1] - 7112) <= 0.25


def test_a_grid_of_several_thousand_points():
    grid = np.arange(7000.0, 8000.0, 0.25)
    assert np.abs(find_e0(grid, spectra(grid)) - EDGES[:, 0]).max() <= 0.25


def test_a_scan_that_has_just_begun_has_no_edge_yet():
    for points in range(10, 40):
        assert find_e0(GRID[:points], spectra()[:, :points]).shape == (4,)


def test_energies_must_increase():
    with pytest.raises(DataError, match="do not increase"):
        find_e0(GRID[::-1], spectra())


def test_the_reference_needs_the_array_api_standard_alone():
    reference = find_e0.implementations["reference"].function
    (grid, mu), _ = find_e0.cases["steps_at_several_energies"]()
    strict = reference(array_api_strict.asarray(grid), array_api_strict.asarray(mu))
    assert np.array_equal(np.asarray(strict), find_e0(grid, mu))
