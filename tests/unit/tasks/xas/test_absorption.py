"""From counts to absorption."""

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.spectra import RawSpectra
from tasks.xas.absorption import absorption

RNG = np.random.default_rng(0)
ENERGY = np.tile(np.linspace(7000.0, 7200.0, 30), (4, 1))
MU = RNG.uniform(0.5, 2.0, ENERGY.shape)
FOIL = RNG.uniform(0.5, 2.0, ENERGY.shape)
I0 = RNG.uniform(1e5, 2e5, ENERGY.shape)


def counts(**more):
    i1 = I0 * np.exp(-MU)
    return RawSpectra(energy=ENERGY, i0=I0, i1=i1, i2=i1 * np.exp(-FOIL), **more)


def test_transmission_and_the_reference_behind_it():
    found = absorption(counts(), "transmission")
    assert np.allclose(found.mu, MU, rtol=0, atol=1e-12)
    assert found.reference is not None
    assert np.allclose(found.reference, FOIL, rtol=0, atol=1e-12)
    assert found.missing.tolist() == [0, 0, 0, 0]


def test_dark_currents_of_the_file_and_of_the_caller():
    i1 = I0 * np.exp(-MU)
    raw = RawSpectra(energy=ENERGY, i0=I0 + 500, i1=i1 + 300, dark={"i0": 500.0, "i1": 0.0})
    found = absorption(raw, "transmission", dark={"i1": np.full(4, 300.0)})
    assert np.allclose(found.mu, MU, rtol=0, atol=1e-12)
    assert found.i0 is not None
    assert np.allclose(found.i0, I0)


def test_a_known_change_of_gain_leaves_no_jump():
    gain = np.array([1.0, 1.0, 10.0, 10.0])
    raw = RawSpectra(energy=ENERGY, i0=I0, i1=I0 * np.exp(-MU) * gain[:, None])
    assert np.allclose(absorption(raw, "transmission", gain={"i1": gain}).mu, MU)


def test_an_unknown_change_of_gain_only_shifts():
    raw = RawSpectra(energy=ENERGY, i0=I0, i1=I0 * np.exp(-MU) * 10)
    assert np.allclose(absorption(raw, "transmission").mu, MU - np.log(10))


def test_readings_below_zero_are_counted_and_have_no_value():
    raw = counts()
    assert raw.i1 is not None
    raw.i1[2, 5:8] = [0.0, -3.0, np.nan]
    found = absorption(raw, "transmission")
    assert found.missing.tolist() == [0, 0, 3, 0]
    assert np.isnan(found.mu[2, 5:8]).all()
    assert found.reference_missing is not None
    assert found.reference_missing.tolist() == [0, 0, 3, 0]


def test_fluorescence_without_its_bad_channel():
    channels = np.stack([MU * I0, 2 * MU * I0, np.full_like(MU, 1e9)])
    raw = RawSpectra(energy=ENERGY, i0=I0, fluorescence=channels)
    assert np.allclose(absorption(raw, "fluorescence", bad_channels=[2]).mu, 3 * MU)


def test_what_the_file_holds_goes_first():
    raw = counts(mu={"transmission": MU + 1, "reference": FOIL + 1})
    found = absorption(raw, "transmission")
    assert (found.mu == MU + 1).all()
    assert found.reference is not None
    assert (found.reference == FOIL + 1).all()


@pytest.mark.parametrize(
    ("raw", "mode", "says"),
    [
        (RawSpectra(energy=ENERGY, i0=I0), "transmission", "no transmission"),
        (RawSpectra(energy=ENERGY, i0=I0), "fluorescence", "no fluorescence"),
    ],
)
def test_channels_that_are_not_there(raw, mode, says):
    with pytest.raises(DataError, match=says):
        absorption(raw, mode)


def test_no_channel_left():
    raw = RawSpectra(energy=ENERGY, i0=I0, fluorescence=MU[None] * I0)
    with pytest.raises(DataError, match="at least one"):
        absorption(raw, "fluorescence", bad_channels=[0])
