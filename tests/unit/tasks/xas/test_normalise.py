import array_api_strict
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.xas.normalise import Windows, default_windows, normalise, normalise_sigma
from tasks.xas.units import e_to_k, k_to_e

GRID = np.r_[np.arange(6950, 7090, 5.0), np.arange(7090, 7150, 0.5), np.arange(7150, 7800, 4.0)]
E0 = 7112.0
WINDOWS = Windows(-150, -40, 60, 650, 2)
STEPS = np.array([0.5, 1.0, 2.5])


def made(nvict=0):
    """Steps of known height; the line below and the parabola above the edge are exact."""
    x = (GRID - E0) / 1000
    line = (0.7 - 0.4 * x) * GRID ** (-float(nvict)) * E0**nvict
    above = np.where(GRID >= E0, 1 - 0.3 * x + 0.1 * x**2, 0)
    return line, STEPS[:, None] * above + line


@pytest.mark.parametrize("nvict", [0, 3])
def test_steps_lines_and_curves_are_recovered(nvict):
    line, mu = made(nvict)
    result = normalise(GRID, mu, E0, Windows(-150, -40, 60, 650, 2, nvict))
    assert np.abs(result.edge_step - STEPS).max() < 1e-12
    assert np.abs(result.pre_edge - line).max() < 1e-12
    assert np.abs(result.norm - (mu - line) / STEPS[:, None]).max() < 1e-12
    assert np.abs((result.post_edge - mu)[:, GRID >= E0]).max() < 1e-12


def test_flattened_spectra_are_level_above_the_edge():
    _, mu = made()
    result = normalise(GRID, mu, E0, WINDOWS)
    assert np.abs(result.flat[:, GRID >= E0] - 1).max() < 1e-12
    assert np.array_equal(result.flat[:, GRID < E0], result.norm[:, GRID < E0])


def test_a_grid_finer_about_the_edge_does_not_change_the_step():
    scan = np.r_[
        np.arange(6950, 7090, 5.0), np.arange(7090, 7130, 0.5), k_to_e(np.arange(2.2, 13, 0.05), E0)
    ]
    finer = np.r_[
        np.arange(6950, 7090, 2.0), np.arange(7090, 7162, 0.2), k_to_e(np.arange(3.7, 13, 0.05), E0)
    ]

    def step(grid, even_k):
        k = np.maximum(e_to_k(np.maximum(grid, E0), E0), 1e-3)
        chi = 0.6 * np.sin(2 * 2 * k + 2) * np.exp(-0.05 * k**2) / k
        mu = np.where(grid >= E0, 1 + chi, 0)[None]
        windows = Windows(-150, -40, 25, 600, 2, even_k=even_k)
        return float(normalise(grid, mu, E0, windows).edge_step[0])

    measured = step(scan, False)
    assert abs(step(finer, False) / measured - 1) > 0.02
    assert abs(step(finer, True) / measured - 1) < 0.003


def test_defaults_follow_the_scan():
    full = default_windows(GRID, E0)
    assert (full.pre1, full.pre2, full.norm1, full.norm2) == (-155.0, -77.5, 25.0, 685.0)
    assert (full.nnorm, full.nvict) == (2, 0)
    xanes = default_windows(GRID[GRID < 7260], E0)
    assert (xanes.norm1, xanes.norm2, xanes.nnorm) == (25.0, 145.0, 1)
    assert default_windows(GRID[GRID < 7140], E0).nnorm == 0


def test_a_scan_that_starts_at_the_edge_still_has_a_step():
    _, mu = made()
    grid = GRID[GRID > 7108]
    result = normalise(grid, mu[:, GRID > 7108], E0, default_windows(grid, E0))
    assert np.isfinite(result.norm).all()


def test_a_falling_edge_has_a_negative_step():
    _, mu = made()
    result = normalise(GRID, -mu, E0, WINDOWS)
    assert np.abs(result.edge_step + STEPS).max() < 1e-12


def test_a_bad_spectrum_does_not_touch_the_others():
    _, mu = made()
    good = normalise(GRID, mu, E0, WINDOWS)
    mu[0, 10] = np.nan
    mu[1] = 0.3
    result = normalise(GRID, mu, E0, WINDOWS)
    assert np.isnan(result.norm[:2]).all()
    assert np.array_equal(result.norm[2], good.norm[2])


@pytest.mark.parametrize(
    ("e0", "windows", "says"),
    [
        (6900.0, WINDOWS, "outside the scan"),
        (E0, Windows(-40, -150, 60, 650), "ends .* before it begins"),
        (E0, Windows(-150, -40, 650, 60), "holds no points"),
        (E0, Windows(-150, -40, -60, -20), "holds no points"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(e0, windows, says):
    with pytest.raises(DataError, match=says):
        normalise(GRID, made()[1], e0, windows)


@pytest.mark.parametrize("nvict", [0, 3])
def test_the_uncertainty_is_what_repeats_scatter_by(nvict):
    windows = Windows(-150, -40, 60, 650, 2, nvict)
    rng = np.random.default_rng(7)
    mu = made()[1][1]
    sigma = 2e-3 * (1 + (GRID > 7200)) * np.ones((1, len(GRID)))
    repeats = normalise(GRID, mu + sigma * rng.normal(size=(4000, len(GRID))), E0, windows)
    clean = normalise(GRID, mu[None], E0, windows)
    told = normalise_sigma(GRID, clean.norm, clean.edge_step, sigma, E0, windows)
    assert told.edge_step[0] == pytest.approx(np.std(repeats.edge_step), rel=0.05)
    ratio = told.norm[0] / np.std(repeats.norm, axis=0)
    assert np.abs(ratio - 1).max() < 0.06


@pytest.mark.parametrize("name", list(normalise.cases))
def test_the_reference_needs_the_array_api_standard_alone(name):
    (grid, mu, *rest), _ = normalise.cases[name]()
    reference = normalise.implementations["reference"].function
    strict = reference(array_api_strict.asarray(grid), array_api_strict.asarray(mu), *rest)
    expected = normalise(grid, mu, *rest)
    for field in ("norm", "flat", "edge_step", "pre_edge", "post_edge"):
        assert np.asarray(getattr(strict, field)) == pytest.approx(getattr(expected, field))


def test_the_uncertainty_needs_the_array_api_standard_alone():
    (*arrays, e0, windows), _ = normalise_sigma.cases["noise_of_the_points"]()
    reference = normalise_sigma.implementations["reference"].function
    strict = reference(*map(array_api_strict.asarray, arrays), e0, windows)
    assert np.asarray(strict.norm) == pytest.approx(
        normalise_sigma(*arrays, e0, windows).norm, rel=1e-9
    )
