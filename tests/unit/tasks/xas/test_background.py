import array_api_strict
import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

from tasks.errors import DataError
from tasks.xas.background import autobk, exafs_range
from tasks.xas.fourier import transform
from tasks.xas.units import e_to_k, k_to_e

E0 = 8979.0
GRID = np.r_[
    np.arange(E0 - 150, E0 - 20, 5.0),
    np.arange(E0 - 20, E0 + 30, 0.5),
    k_to_e(np.arange(2.9, 14.0, 0.05), E0),
]


def chi_of(k, distance=2.2):
    return 0.6 * np.sin(2 * k * distance - 0.5) * np.exp(-0.012 * k**2) * k / (1 + 0.1 * k**3)


def made(steps, distance=2.2, bend=0.05):
    """Absorption with a known fine structure over a background without short waves."""
    k = np.maximum(e_to_k(GRID, E0), 0)
    atom = np.where(GRID >= E0, 1 + bend * np.cos(k / 2.5) - 2e-4 * (GRID - E0), 0)
    fine = np.where(k > 0, chi_of(k, distance), 0)
    return np.asarray(steps)[:, None] * (atom + fine) + 0.3, np.asarray(steps)


def test_the_fine_structure_is_found_again():
    mu, steps = made([0.4, 1.0, 2.0])
    result = autobk(GRID, mu, E0, steps)
    inside = (result.k > 3) & (result.k < 13)
    expected = (result.k**2 * chi_of(result.k))[inside]
    error = (result.k**2 * result.chi)[:, inside] - expected
    assert np.sqrt(np.mean(error**2, axis=1)).max() < 0.1 * np.sqrt(np.mean(expected**2))


def test_the_background_leaves_nothing_below_rbkg_and_the_shell_alone():
    mu, steps = made([1.0], bend=0.1)
    chi = autobk(GRID, mu, E0, steps)
    result = transform(chi.k, chi.chi, 3.0, 13.0)
    magnitude = np.abs(result.chi_r[0])
    peak = result.r[np.argmax(magnitude)]
    assert abs(peak - 2.2) < 0.1
    assert magnitude[result.r < 0.8].max() < 0.1 * magnitude.max()


def test_the_background_joins_the_absorption_below_the_edge_and_runs_through_it_above():
    mu, steps = made([1.0])
    result = autobk(GRID, mu, E0, steps)
    assert np.array_equal(result.background[:, GRID < E0 - 1], mu[:, GRID < E0 - 1])
    above = GRID > E0 + 50
    assert np.abs(np.mean((mu - result.background)[:, above])) < 0.01
    assert result.background.shape == mu.shape


def test_points_are_joined_by_the_spline_that_scipy_draws():
    from tasks.xas.background import _interpolation

    k = np.sort(np.random.default_rng(6).uniform(0, 14, 80))
    wanted = np.linspace(k[0], k[-1] + 0.005, 200)
    expected = make_interp_spline(k, np.cos(k), k=3)(wanted)
    assert np.abs(np.cos(k) @ _interpolation(k, wanted) - expected).max() < 1e-9


def test_gauss_newton_finds_the_minimum_of_the_clamped_residual():
    """No small change of the background's coefficients lowers the sum of squares."""
    from tasks.xas.background import _solve, _spline

    mu, _ = made([1.0])
    spline = _spline(GRID.tobytes(), E0, 1.0, 0.0, None, 1)
    chi = mu[:, spline.first : spline.last] @ spline.to_k
    best = _solve(spline, chi, 1.0)

    def squares(coefficients):
        left = (chi - coefficients @ spline.splines_in_k) @ spline.to_low_r
        end = (chi - coefficients @ spline.splines_in_k)[:, -3:]
        scale = 0.1 + 10 * np.mean(left**2, axis=1, keepdims=True)
        return float(np.sum(left**2) + np.sum((scale * end) ** 2))

    least = squares(best)
    for change in np.random.default_rng(2).normal(0, 1e-3, (50, best.shape[1])):
        assert squares(best + change) > least


def test_a_bad_spectrum_does_not_touch_the_others():
    mu, steps = made([1.0, 2.0])
    good = autobk(GRID, mu, E0, steps)
    mu[0, 180] = np.nan
    result = autobk(GRID, mu, E0, steps)
    assert np.isnan(result.chi[0]).all()
    assert np.abs(result.chi[1] - good.chi[1]).max() < 1e-9


def test_a_clamp_of_nothing_is_the_linear_solution():
    mu, steps = made([1.0])
    free = autobk(GRID, mu, E0, steps, clamp=0.0)
    held = autobk(GRID, mu, E0, steps, clamp=100.0)
    assert np.abs(held.chi[:, -3:]).max() < np.abs(free.chi[:, -3:]).max()


def test_kmax_shortens_the_result():
    mu, steps = made([1.0])
    assert autobk(GRID, mu, E0, steps, kmax=10.0).k[-1] == pytest.approx(10.0)


def test_how_far_a_scan_goes():
    assert exafs_range(GRID, E0) == pytest.approx(13.95, abs=0.06)
    assert exafs_range(GRID[GRID < E0 + 120], E0) is None
    coarse = np.r_[GRID[GRID < E0 + 300], np.arange(E0 + 350, E0 + 750, 50)]
    assert exafs_range(coarse, E0) == pytest.approx(8.8, abs=0.2)


def test_a_scan_of_the_edge_alone_is_refused_with_the_reason():
    mu, steps = made([1.0])
    short = GRID < E0 + 2
    with pytest.raises(DataError, match="too few for the background"):
        autobk(GRID[short], mu[:, short], E0, steps)


def test_the_reference_needs_the_array_api_standard_alone():
    (grid, mu, e0, steps), _ = autobk.cases["oscillations_over_a_bent_background"]()
    reference = autobk.implementations["reference"].function
    xp = array_api_strict
    strict = reference(xp.asarray(grid), xp.asarray(mu), e0, xp.asarray(steps))
    expected = autobk(grid, mu, e0, steps)
    assert np.asarray(strict.chi) == pytest.approx(expected.chi, abs=1e-10)
    assert np.asarray(strict.background) == pytest.approx(expected.background, abs=1e-10)
