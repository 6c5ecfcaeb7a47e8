import array_api_strict
import numpy as np
import pytest
import xraydb

from tasks.errors import DataError
from tasks.xas.mback import mback
from tasks.xas.normalise import Windows

GRID = np.r_[np.arange(6912, 7090, 5.0), np.arange(7090, 7150, 0.5), np.arange(7150, 7700, 4.0)]
E0 = 7112.0
WINDOWS = Windows(-190, -40, 60, 580, 2)
SCALES = np.array([[0.1], [0.25], [0.6]])


def made(degree=1):
    x = (GRID - E0) / 1000
    background = np.polynomial.Polynomial([0.4, -0.3, 0.2][: degree + 1])(x)
    return SCALES * xraydb.f2_chantler("Fe", GRID) + background


@pytest.mark.parametrize("degree", [1, 2])
def test_multiples_of_the_table_over_a_background_are_recovered(degree):
    result = mback(GRID, made(degree), "Fe", E0, WINDOWS, degree=degree)
    assert result.edge_step / result.edge_step[0] == pytest.approx(SCALES[:, 0] / SCALES[0, 0])
    assert np.abs(result.norm - result.table).max() < 1e-9


def test_the_step_is_that_of_the_tables():
    step = mback(GRID, made(), "Fe", E0, WINDOWS).edge_step / SCALES[:, 0]
    below, above = xraydb.f2_chantler("Fe", [7105.0, 7130.0])
    assert step == pytest.approx(above - below, rel=0.05)


def test_white_lines_between_the_ranges_do_not_matter():
    peak = np.exp(-(((GRID - E0 - 8) / 5) ** 2))
    plain, peaked = (mback(GRID, mu, "Fe", E0, WINDOWS) for mu in (made(), made() + peak))
    assert peaked.edge_step == pytest.approx(plain.edge_step, rel=1e-9)


def test_a_bad_spectrum_does_not_touch_the_others():
    mu = made()
    mu[0, 10] = np.nan
    result = mback(GRID, mu, "Fe", E0, WINDOWS)
    assert np.isnan(result.edge_step[0])
    assert np.isfinite(result.norm[1:]).all()


def test_the_wrong_element_and_empty_ranges_are_refused():
    with pytest.raises(DataError, match="tables of Cu have no edge at 7112"):
        mback(GRID, made(), "Cu", E0, WINDOWS)
    with pytest.raises(DataError, match="fewer than three points"):
        mback(GRID, made(), "Fe", E0, Windows(-12, -11.4, 60, 580, 2))


def test_the_reference_needs_the_array_api_standard_alone():
    (grid, mu, *rest), _ = mback.cases["a_multiple_of_the_table"]()
    reference = mback.implementations["reference"].function
    strict = reference(array_api_strict.asarray(grid), array_api_strict.asarray(mu), *rest)
    assert np.asarray(strict.norm) == pytest.approx(mback(grid, mu, *rest).norm, rel=1e-9)
