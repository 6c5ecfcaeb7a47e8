import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf import absorption
from tasks.pdf.composition import parse

ANGLES = np.radians([1e-3, 20.0, 60.0, 120.0, 180.0])


def traced(mu, radius, wall_mu, outer, two_theta, where, count=3000):
    """Average exp(-path) over points drawn at random, the paths stepped through."""
    rng = np.random.default_rng(1)
    low, high = (radius, outer) if where == "wall" else (0.0, radius)
    angle, azimuth = rng.uniform(0, 2 * np.pi, (2, count))
    r = np.sqrt(low**2 + (high**2 - low**2) * (np.arange(count) + 0.5) / count)
    across = np.sin(two_theta) * np.cos(azimuth)
    ways = ((-1.0, 0.0), (np.cos(two_theta), across))
    step = outer / 100
    along = step * (np.arange(400) + 0.5)[:, None]
    depth = np.zeros(count)
    for dx, dy in ways:
        distance = np.hypot(r * np.cos(angle) + along * dx, r * np.sin(angle) + along * dy)
        depth += step * (mu * (distance < radius).sum(axis=0))
        depth += step * wall_mu * ((distance >= radius) & (distance < outer)).sum(axis=0)
    return np.exp(-depth).mean()


@pytest.mark.parametrize("degrees", [20.0, 120.0])
def test_a_capillary_is_that_of_rays_traced(degrees):
    two_theta = np.radians([degrees - 1, degrees])
    found = absorption.capillary(two_theta, 1.6, 0.4, container_mu=0.7, outer_radius=0.5)
    paths = {"s_sc": (1.6, "sample"), "c_sc": (1.6, "wall"), "c_c": (0.0, "wall")}
    for name, (mu, where) in paths.items():
        wanted = traced(mu, 0.4, 0.7, 0.5, two_theta[1], where)
        assert getattr(found, name)[1] == pytest.approx(wanted, abs=8e-3), name


def test_a_cylinder_has_the_closed_form_straight_ahead():
    """1 / A is 5.09 for mu R = 1 (International Tables for Crystallography C, 6.3.3)."""
    found = absorption.capillary(ANGLES, 2.0, 0.5)
    assert 1 / found.s_sc[0] == pytest.approx(5.09, abs=0.01)
    assert np.all(found.c_sc == 1)


def test_without_attenuation_all_gets_out():
    found = absorption.capillary(ANGLES, 0.0, 0.5, outer_radius=0.6)
    np.testing.assert_allclose([found.s_sc, found.c_sc, found.c_c], 1)
    assert found.transmission == pytest.approx(1)


def test_a_narrow_beam_meets_more_of_the_sample():
    wide = absorption.capillary(ANGLES, 2.0, 0.5)
    narrow = absorption.capillary(ANGLES, 2.0, 0.5, beam_height=0.02)
    assert narrow.transmission == pytest.approx(np.exp(-2.0), rel=1e-3)
    assert narrow.s_sc[0] == pytest.approx(np.exp(-2.0), rel=1e-3)
    assert narrow.transmission < wide.transmission


def test_a_plate_has_its_closed_form():
    two_theta = np.radians([0.01, 30.0, 60.0])
    found = absorption.plate(two_theta, 1.5, 0.8)
    depth, out = 1.2, 1 / np.cos(two_theta[1:])
    closed = (np.exp(-depth) - np.exp(-depth * out)) / (depth * (out - 1))
    np.testing.assert_allclose(found.s_sc[1:], closed, rtol=1e-9)
    assert found.s_sc[0] == pytest.approx(np.exp(-1.2), rel=1e-6)
    assert found.transmission == pytest.approx(np.exp(-1.2))


def test_windows_of_a_plate_shade_each_other_and_the_sample():
    two_theta = np.radians([0.001, 40.0])
    found = absorption.plate(two_theta, 1.5, 0.8, window_mu=0.5, window=0.1)
    assert found.s_sc[0] == pytest.approx(np.exp(-1.2 - 0.1), rel=1e-4)
    assert found.container_scale[0] == pytest.approx(np.exp(-1.2), rel=1e-4)
    assert found.container_scale[1] > 0


@pytest.mark.parametrize("transmission", [0.05, 0.4, 0.99, 1.0])
def test_a_measured_transmission_gives_the_attenuation(transmission):
    mu = absorption.attenuation_from_transmission(transmission, radius=0.4)
    found = absorption.capillary(ANGLES, mu, 0.4)
    assert found.transmission == pytest.approx(transmission, abs=1e-9)
    plate = absorption.attenuation_from_transmission(transmission, thickness=2.0)
    assert absorption.plate(ANGLES[:2], plate, 2.0).transmission == pytest.approx(transmission)


def test_attenuation_of_materials():
    """Copper at 30 keV: 10.9 cm²/g (NIST) times 8.96 g/cm³."""
    found = absorption.linear_attenuation(parse("Cu"), 8.96, 12.398 / 30)
    assert found == pytest.approx(10.92 * 0.896, rel=0.02)
    half = absorption.linear_attenuation(parse("Cu"), 8.96, 12.398 / 30, packing=0.5)
    assert half == pytest.approx(found / 2)


def test_many_bins_follow_a_spline():
    fine = np.linspace(0.01, 1.0, 500)
    found = absorption.capillary(fine, 2.0, 0.5).s_sc
    for at in (50, 333):
        exact = absorption.capillary(np.array([fine[at], fine[at] + 0.1]), 2.0, 0.5).s_sc[0]
        assert found[at] == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: absorption.capillary(ANGLES, 1.0, 0.5, outer_radius=0.4), "cannot be"),
        (lambda: absorption.capillary(ANGLES, -1.0, 0.5), "cannot be"),
        (lambda: absorption.plate(ANGLES, 1.0, 0.5), "less than 90"),
        (lambda: absorption.attenuation_from_transmission(1.2, radius=1.0), "cannot be"),
        (lambda: absorption.linear_attenuation(parse("Ni"), 0.0, 0.2), "cannot be"),
    ],
)
def test_what_cannot_be_is_refused(call, says):
    with pytest.raises(DataError, match=says):
        call()
