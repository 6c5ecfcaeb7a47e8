import numpy as np
import pytest

from infra.simulator.pdf import debye, factors
from infra.simulator.pdf.materials import CERIA
from infra.simulator.pdf.surroundings import wall_scattering
from tasks.errors import DataError
from tasks.pdf.background import expected_scale, refuse_negative, subtract_background
from tasks.pdf.background_scale import check_scale

Q = np.arange(0.76, 22, 0.009)
COUNTS = 4e6  # per bin: thousands of pixels with a thousand photons each


@pytest.fixture(scope="module")
def patterns():
    """CeO2 in Kapton: true intensities of the sample and of the capillary."""
    sample = debye.coherent(CERIA, Q, 0.1671) + factors.compton("CeO2", Q, 0.1671)
    walls = wall_scattering("kapton", Q, 0.1671)
    return sample / sample[Q < 5].mean(), 0.4 * walls / walls.max()


def measured(rng, intensity):
    return rng.poisson(intensity * COUNTS) / COUNTS, np.sqrt(intensity / COUNTS)


def check(rng, sample, walls, stated, true=1.0):
    return check_scale(Q, *measured(rng, sample + true * walls), *measured(rng, walls), stated)


def test_a_scale_that_is_five_percent_wrong_is_found(patterns):
    rng = np.random.default_rng(1)
    right = [check(rng, *patterns, 1.0) for _ in range(40)]
    assert sum(each.wrong for each in right) <= 5  # 5 % of 40, and what chance adds
    assert sum(each.able for each in right) >= 38
    wrong = [check(rng, *patterns, stated) for stated in (0.95, 1.05) for _ in range(20)]
    assert sum(each.wrong for each in wrong) >= 38
    assert "is wrong: the container's sharp features say" in wrong[0].reason


def test_the_estimate_is_unbiased_whatever_is_stated(patterns):
    rng = np.random.default_rng(2)
    found = [check(rng, *patterns, stated, true=0.7) for stated in (0.7, 0.8) for _ in range(10)]
    pull = [(each.estimate - 0.7) / each.sigma for each in found]
    assert abs(np.mean(pull)) < 0.7
    assert np.std(pull) < 1.3


def test_a_smooth_container_cannot_tell_and_says_so(patterns):
    rng = np.random.default_rng(3)
    walls = 0.4 * np.exp(-((Q - 1.5) ** 2) / 4) + 0.05
    found = check(rng, patterns[0], walls, 1.05)
    assert not found.able
    assert not found.wrong
    assert "no sharp features" in found.reason


def test_scales_come_from_monitor_and_transmission():
    scale = expected_scale(
        monitor=np.array([2e5, 1e5]),
        background_monitor=1e5,
        transmission=0.6,
        background_transmission=0.9,
    )
    np.testing.assert_allclose(scale, [4 / 3, 2 / 3])
    with pytest.raises(DataError, match="not above zero"):
        expected_scale(monitor=np.array([1.0, 0.0]))


def test_subtraction_carries_both_noises():
    rng = np.random.default_rng(4)
    sample, walls = np.full(500, 4.0), np.full(500, 2.0)
    frames = sample + 1.5 * walls + 0.3 * rng.normal(size=(3, 500))
    found = subtract_background(
        np.arange(500), frames, np.full((3, 500), 0.3), walls, np.full(500, 0.2), np.full(3, 1.5)
    )
    assert found.intensity.mean() == pytest.approx(4.0, abs=0.05)
    np.testing.assert_allclose(found.sigma, np.hypot(0.3, 0.3))
    by_bin = subtract_background(np.arange(500), frames, frames, walls, walls, np.ones((1, 500)))
    assert by_bin.scale.shape == (1, 500)


def noisy(level, width=2000, frames=2):
    rng = np.random.default_rng(5)
    q = np.linspace(0.5, 20, width)
    sigma = np.full((frames, width), 0.2)
    return q, level + sigma * rng.normal(size=sigma.shape), sigma


def test_a_range_below_zero_is_refused_with_the_usual_cause():
    q, intensity, sigma = noisy(1.0)
    intensity[1, 800:900] -= 1.3
    with pytest.raises(DataError, match=r"Pattern 1 is below zero from 8\.\d+ to .* usual cause"):
        refuse_negative(q, intensity, sigma, 5.0)


def test_single_points_and_noise_about_zero_are_not():
    q, intensity, sigma = noisy(1.0)
    intensity[0, [3, 500, 501, 1200]] = -8.0
    refuse_negative(q, intensity, sigma, 5.0)
    q, intensity, sigma = noisy(0.0, frames=200)
    refuse_negative(q, intensity, sigma)


def test_half_a_percent_of_the_background_is_forgiven():
    q, intensity, sigma = noisy(0.0)
    intensity -= 0.5
    refuse_negative(q, intensity, sigma, 100.0)
    with pytest.raises(DataError, match="below zero"):
        refuse_negative(q, intensity, sigma, 5.0)


def test_unknown_bins_and_those_below_qmin_do_not_count():
    q, intensity, sigma = noisy(1.0)
    intensity[:, :50] = -9
    intensity[:, 700:720] = np.nan
    refuse_negative(q, intensity, sigma, qmin=q[51])
