"""Dead time, inverted."""

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.spectra import RawSpectra
from tasks.xas.dead_time import correct_dead_time, true_rate, true_rate_paralysable

TRUE = np.linspace(1e3, 2e5, 50).reshape(1, 1, 50) * np.array([1.0, 2.0]).reshape(2, 1, 1)
ENERGY = np.linspace(7000.0, 7200.0, 50)[None]
SECONDS = np.full((1, 50), 0.5)
TAU = np.array([1e-6, 2e-6])


def registered(model):
    load = TRUE * TAU.reshape(2, 1, 1)
    return TRUE * (np.exp(-load) if model == "paralysable" else 1 / (1 + load))


@pytest.mark.parametrize("model", ["non-paralysable", "paralysable"])
def test_a_known_dead_time(model):
    raw = RawSpectra(energy=ENERGY, fluorescence=registered(model) * SECONDS, count_time=SECONDS)
    found = correct_dead_time(raw, TAU, model).fluorescence
    assert np.allclose(found, TRUE * SECONDS, rtol=1e-9)


def test_rates_of_the_file():
    rates = registered("paralysable")
    raw = RawSpectra(
        energy=ENERGY, fluorescence=0.1 * rates, input_rate=TRUE.copy(), output_rate=rates
    )
    assert raw.input_rate is not None
    raw.input_rate[1] = np.nan  # a channel without rates
    found = correct_dead_time(raw).fluorescence
    assert found is not None
    assert np.allclose(found[0], 0.1 * TRUE[0])
    assert (found[1] == 0.1 * rates[1]).all()


def test_without_rates_nothing_changes():
    raw = RawSpectra(energy=ENERGY, fluorescence=TRUE)
    assert correct_dead_time(raw) is raw


def test_a_blind_detector_has_no_value():
    rates = np.ones((1, 1, 50))
    raw = RawSpectra(energy=ENERGY, fluorescence=rates, input_rate=rates, output_rate=0 * rates)
    found = correct_dead_time(raw).fluorescence
    assert found is not None
    assert np.isnan(found).all()


def test_a_dead_time_needs_the_counting_time():
    with pytest.raises(DataError, match="how long"):
        correct_dead_time(RawSpectra(energy=ENERGY, fluorescence=TRUE), 1e-6)


def test_impossible_rates_have_no_value():
    assert np.isnan(true_rate(np.array([1.0, 1.5]))).all()
    assert np.isnan(true_rate_paralysable(np.array([0.3679, 0.5]))).all()


def test_the_maximum_itself():
    load = 1 - np.logspace(-1, -7, 30)
    assert np.allclose(true_rate_paralysable(load * np.exp(-load)), load, rtol=0, atol=1e-7)
