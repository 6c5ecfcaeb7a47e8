"""Dark current, flat field, and the yield of a sensor at oblique incidence."""

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.response import Sensor, make_dark, make_flat, oblique_yield

RNG = np.random.default_rng(2)
CURRENT = RNG.uniform(1, 5, (40, 50))  # per s
BIAS = RNG.uniform(90, 110, (40, 50))


def darks(number, exposure):
    return RNG.normal(BIAS + CURRENT * exposure, 3, (number, 40, 50)).astype(np.float32)


def test_darks_are_averaged_and_the_noise_of_their_mean_is_known():
    found = make_dark(darks(25, 10.0), 10.0, 10.0)
    off = found.mean - (BIAS + 10 * CURRENT)
    assert off.std() == pytest.approx(3 / 5, rel=0.1)
    assert found.variance.mean() == pytest.approx(9 / 25, rel=0.05)
    assert make_dark(darks(1, 10.0)).variance.max() == 0


def test_a_dark_of_another_exposure_is_scaled_but_not_its_bias():
    found = make_dark(darks(200, 2.0), 2.0, 8.0, bias=BIAS)
    off = found.mean - (BIAS + 8 * CURRENT)
    assert off.std() == pytest.approx(4 * 3 / 200**0.5, rel=0.1)
    assert found.variance.mean() == pytest.approx(16 * 9 / 200, rel=0.05)


@pytest.mark.parametrize(("own", "wanted"), [(None, 2.0), (2.0, None), (0.0, 2.0)])
def test_a_dark_whose_exposure_is_not_known_is_not_scaled(own, wanted):
    with pytest.raises(DataError, match="cannot be scaled"):
        make_dark(darks(2, 2.0), own, wanted)


def test_a_flat_is_relative_and_its_bad_pixels_are_told():
    light = RNG.uniform(0.8, 1.2, (40, 50))
    light[3, 4], light[5, 6] = 0.0, np.nan
    flat, bad = make_flat(np.stack([500 * light + BIAS] * 3), BIAS)
    assert np.argwhere(bad).tolist() == [[3, 4], [5, 6]]
    expected = light / np.median(light[~bad])
    np.testing.assert_allclose(flat[~bad], expected[~bad], rtol=1e-2)
    assert (flat[bad] == 1).all()
    with pytest.raises(DataError, match="no light"):
        make_flat(BIAS, BIAS)


def test_oblique_incidence_in_its_limits():
    path = 1 / np.cos(np.deg2rad([0.0, 30.0, 60.0]))
    np.testing.assert_allclose(oblique_yield(path, 0.0), 1)  # a thick sensor takes all there is
    np.testing.assert_allclose(oblique_yield(path, 1 - 1e-6), path, rtol=1e-5)  # a thin one
    np.testing.assert_allclose(oblique_yield(path, 0.25)[2], (1 - 0.25**2) / 0.75)


def test_the_transmission_of_silicon_at_60_kev():
    """Mass attenuation 0.3207 cm²/g at 60 keV: NIST, Hubbell and Seltzer."""
    expected = np.exp(-0.3207 * 2.329 * 0.1)
    assert Sensor("Si", 1e-3).transmission(0.20664) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("sensor", "sentence"),
    [
        (Sensor("Unobtainium", 1e-3, 3.0), "no chemical formula"),
        (Sensor("NaI", 1e-3), "density"),
        (Sensor("Si", 0.0), "thickness"),
    ],
)
def test_a_sensor_that_cannot_be_is_refused(sensor, sentence):
    with pytest.raises(DataError, match=sentence):
        sensor.transmission(0.2)
