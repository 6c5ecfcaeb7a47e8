import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.peaks import first_peaks
from tests.unit.tasks.pdf.crystal_truth import FE, NI, noise, simulate

QMAX = 25.0
R = np.arange(1, 1201) * 0.01


def test_the_first_neighbours_of_nickel():
    found = first_peaks(R, simulate(NI, R, QMAX), qmax=QMAX)
    a = 3.524
    assert found.position == pytest.approx([a / np.sqrt(2), a, a * np.sqrt(1.5)], abs=0.006)
    assert np.all(found.height > 3)
    assert np.all(found.position_sigma < 0.01)


def test_ripples_are_no_peaks():
    g = simulate(NI, R, 18.0, u=0.003)  # cut early: ripples beside each peak
    found = first_peaks(R, g, qmax=18.0, count=2)
    assert found.position == pytest.approx([3.524 / np.sqrt(2), 3.524], abs=0.02)


def test_peaks_that_touch_are_two():
    found = first_peaks(R, simulate(FE, R, QMAX), qmax=QMAX, count=2)
    assert found.position == pytest.approx([2.8665 * np.sqrt(0.75), 2.8665], abs=0.01)


def test_sigma_is_what_repeats_scatter_by():
    rng = np.random.default_rng(7)
    g, sigma = simulate(NI, R, QMAX), np.full_like(R, 0.5)
    found = [
        first_peaks(R, g + each, sigma, qmax=QMAX, count=1)
        for each in noise(R, QMAX, 0.5, rng, frames=100)
    ]
    places = np.array([each.position[0] for each in found])
    assert 0.6 < places.std() / np.mean([each.position_sigma[0] for each in found]) < 1.5


def test_noise_has_no_peaks():
    rng = np.random.default_rng(8)
    found = first_peaks(R, noise(R, QMAX, 1.0, rng)[0], np.ones_like(R), qmax=QMAX)
    assert len(found.position) == 0


def test_a_curve_that_begins_too_late_is_refused():
    with pytest.raises(DataError, match="calculate G"):
        first_peaks(R + 2, simulate(NI, R, QMAX), qmax=QMAX)
    with pytest.raises(DataError, match="need numbers"):
        first_peaks(R, np.where(R > 5, np.nan, 0.0), qmax=QMAX)
