"""The shift that standards have in common, where no foil says it."""

import numpy as np
import pytest

from tasks.xas.lcf_shift import common_shift

ENERGY = np.arange(7060.0, 7260.0, 0.5)
E0 = 7112.0
FITTED = (ENERGY > E0 - 20) & (ENERGY < E0 + 60)
PLACES = (0.0, 7.0, 11.0)


def compound(place, off):
    x = ENERGY - E0 - place - off
    return 0.5 + np.arctan(x / 1.2) / np.pi + (0.2 + place / 20) * np.exp(-(((x - 5) / 3) ** 2))


def curves(off):
    return np.stack([compound(place, off) for place in PLACES])


def spectra(count=20, noise=0.004, seed=0):
    rng = np.random.default_rng(seed)
    made = rng.dirichlet(np.ones(3), count) @ curves(0.0)[:, FITTED]
    return made + noise * rng.normal(size=made.shape)


@pytest.mark.parametrize("off", [-2.2, -0.35, 0.0, 1.63])
def test_standards_are_found_where_they_are(off):
    found = common_shift(ENERGY, curves(off), np.ones(3, bool), FITTED, spectra())
    assert found.shift == pytest.approx(-off, abs=2.5 * found.sigma)
    assert found.sigma < 0.06
    assert not found.at_border


def test_those_that_are_tied_stay():
    loose = np.array([False, True, True])
    mixed = np.where(loose[:, None], curves(1.2), curves(0.0))
    found = common_shift(ENERGY, mixed, loose, FITTED, spectra())
    assert found.shift == pytest.approx(-1.2, abs=2.5 * found.sigma)


def test_one_spectrum_says_it_less_well():
    many, one = (
        common_shift(ENERGY, curves(0.5), np.ones(3, bool), FITTED, spectra(count, 0.02, 3))
        for count in (20, 1)
    )
    assert one.shift == pytest.approx(-0.5, abs=3 * one.sigma)
    assert many.shift == pytest.approx(-0.5, abs=2.5 * many.sigma)


def test_what_the_standards_lack_makes_the_shift_less_certain():
    stranger = compound(4.0, 0.0)[FITTED]
    spoilt = 0.7 * spectra() + 0.3 * stranger
    good, bad = (
        common_shift(ENERGY, curves(0.5), np.ones(3, bool), FITTED, each)
        for each in (spectra(), spoilt)
    )
    assert bad.sigma > 1.5 * good.sigma


def test_beyond_the_range_it_says_so():
    found = common_shift(ENERGY, curves(6.0), np.ones(3, bool), FITTED, spectra())
    assert found.at_border
