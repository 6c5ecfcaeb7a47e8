"""Double scattering: against photons followed one by one, limits, and how large it is."""

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf import multiple_scattering
from tasks.pdf.absolute import absolute
from tasks.pdf.absorption import linear_attenuation
from tasks.pdf.composition import parse
from tasks.pdf.multiple_scattering import Cylinder, Plate, double_scattering, second_order
from tasks.pdf.scattering import compton, mean_square_form_factor
from tests.unit.tasks.pdf.crystals import NICKEL, coherent

KEV = 12.398419843
Q = np.linspace(0.5, 25.0, 500)


def isotropic(cosine):
    return np.ones_like(cosine)


def forward(cosine):
    """Strongly peaked about the beam, as form factors are."""
    return 1 / (1.02 - cosine) ** 2


def share(formula, density, packing, energy, shape, q=Q):
    """Double scattering relative to what free atoms scatter once."""
    composition, wavelength = parse(formula), KEV / energy
    twice = double_scattering(
        q,
        composition,
        wavelength=wavelength,
        number_density=packing * composition.number_density(density),
        mu=linear_attenuation(composition, density, wavelength, packing),
        shape=shape,
    )
    once = mean_square_form_factor(composition, q, wavelength)
    return twice / (once + compton(composition, q, wavelength))


def followed(inside, start, mu, strength, two_theta, deflect):
    """Photons that fly, meet, turn and fly on, with nothing known of the shape but its inside.

    `strength` is the cross section per volume and unit of the law. Isotropic photons are turned
    at random; others as well, and weighted by the law. Returns double over single, per strength.
    """
    rng = np.random.default_rng(4)
    count = start.shape[1]

    def fly(points, direction):
        return points + rng.exponential(1 / mu, points.shape[1]) * direction

    azimuth = rng.uniform(0, 2 * np.pi, count)
    out = np.array([np.full(count, np.cos(two_theta)), *(np.sin(two_theta) * _around(azimuth))])
    first = fly(start, np.array([[1.0], [0.0], [0.0]]))
    met = inside(first)
    first, out = first[:, met], out[:, met]
    cosine = rng.uniform(-1, 1, met.sum())
    turn = _around(rng.uniform(0, 2 * np.pi, met.sum()))
    between = np.array([cosine, *(np.sqrt(1 - cosine**2) * turn)])
    second = fly(first, between)
    again = inside(second)
    escaped = ~inside(fly(second, out))
    weight = 4 * np.pi * deflect(cosine) * deflect(np.sum(between * out, axis=0))
    once = deflect(np.cos(two_theta)) * np.mean(~inside(fly(first, out)))
    return strength / mu * np.mean(weight * again * escaped) / once


def _around(angle):
    return np.array([np.cos(angle), np.sin(angle)])


def of_cylinder(radius, count=1_500_000):
    """Photons that enter a cylinder over its whole width."""
    y = np.random.default_rng(2).uniform(-radius, radius, count)
    start = np.array([-np.sqrt(radius**2 - y**2), y, 0 * y])
    return lambda at: at[0] ** 2 + at[1] ** 2 < radius**2, start


def of_plate(thickness, width, count=1_500_000):
    def inside(at):
        rim = at[1] ** 2 + at[2] ** 2 < (width / 2) ** 2
        return (at[0] > 0) & (at[0] < thickness) & rim

    return inside, np.zeros((3, count))


@pytest.mark.parametrize("degrees", [3.0, 60.0, 140.0])
def test_isotropic_scattering_in_a_cylinder_is_that_of_photons_followed(degrees):
    inside, start = of_cylinder(1.0)
    wanted = followed(inside, start, 0.6, 1.0, np.radians(degrees), isotropic)
    found = second_order(np.radians([degrees]), Cylinder(1.0), 0.6, isotropic, thomson=False)
    assert found[0] == pytest.approx(wanted, rel=0.015)


def test_forward_scattering_in_a_cylinder_is_that_of_photons_followed():
    inside, start = of_cylinder(0.5)
    wanted = followed(inside, start, 1.0, 1.0, np.radians(50.0), forward)
    found = second_order(np.radians([50.0]), Cylinder(0.5), 1.0, forward, thomson=False)
    # per strength, the law of single scattering is taken out of the ratio
    assert found[0] / forward(np.cos(np.radians(50.0))) == pytest.approx(wanted, rel=0.04)


def test_a_plate_is_that_of_photons_followed():
    inside, start = of_plate(0.8, 6.0)
    wanted = followed(inside, start, 0.7, 1.0, np.radians(30.0), isotropic)
    found = second_order(np.radians([30.0]), Plate(0.8, 6.0), 0.7, isotropic, thomson=False)
    assert found[0] == pytest.approx(wanted, rel=0.02)


def test_without_absorption_it_grows_with_the_size():
    two_theta = np.radians([10.0])
    one, two = (
        second_order(two_theta, Cylinder(radius), 0.0, isotropic, thomson=False)
        for radius in (1.0, 2.0)
    )
    assert two[0] / one[0] == pytest.approx(2.0, rel=1e-6)


def test_polarisation_after_two_events_is_that_of_the_field():
    """The formula for unpolarised light against fields projected twice."""
    rng = np.random.default_rng(6)
    between, out = rng.normal(size=(2, 3, 50))
    between, out = between / np.linalg.norm(between, axis=0), out / np.linalg.norm(out, axis=0)
    power = np.zeros(50)
    for field in np.eye(3)[1:]:
        once = field[:, None] - between * (field @ between)
        twice = once - out * np.sum(once * out, axis=0)
        power += np.sum(twice**2, axis=0)
    found = multiple_scattering._both_events(between, out, isotropic, 2.0, thomson=True)
    np.testing.assert_allclose(found, power / (1 + out[0] ** 2))


def test_thin_samples_scatter_twice_by_their_size_and_density():
    base = share("SiO2", 2.2, 0.01, 74.0, Cylinder(0.05))
    np.testing.assert_allclose(share("SiO2", 2.2, 0.02, 74.0, Cylinder(0.05)) / base, 2, rtol=0.01)
    np.testing.assert_allclose(share("SiO2", 2.2, 0.01, 74.0, Cylinder(0.10)) / base, 2, rtol=0.01)


def test_in_a_capillary_of_a_millimetre_at_74_kev_it_is_a_per_cent():
    """Silica powder 0.1 % at low Q to 1.1 % at 25 1/Å; nickel powder 0.5 % to 5 %."""
    silica = share("SiO2", 2.2, 0.6, 74.0, Cylinder(0.5))
    assert silica[0] == pytest.approx(0.0012, abs=0.0002)
    assert silica[-1] == pytest.approx(0.0114, abs=0.0005)
    nickel = share("Ni", 8.9, 0.6, 74.0, Cylinder(0.5))
    assert nickel[0] == pytest.approx(0.005, abs=0.0005)
    assert nickel[-1] == pytest.approx(0.05, abs=0.002)


def test_it_is_larger_in_thick_samples_and_at_low_energy():
    q = np.linspace(0.5, 8.0, 100)
    thin = share("SiO2", 2.2, 0.6, 74.0, Cylinder(0.5), q)
    assert np.all(share("SiO2", 2.2, 0.6, 74.0, Cylinder(5.0), q) > 5 * thin)
    assert np.all(share("SiO2", 2.2, 0.6, 17.5, Cylinder(0.5), q) > 2 * thin)


def test_it_is_smooth_in_q_and_a_narrow_beam_sees_its_own():
    fine = share("Ni", 8.9, 0.6, 74.0, Cylinder(0.5))
    assert np.abs(np.diff(fine, 2)).max() < 2e-5
    narrow = share("Ni", 8.9, 0.6, 74.0, Cylinder(0.5, beam_height=0.05))
    assert np.all(narrow > fine)


def test_the_absolute_mode_takes_it_off():
    """A millimetre of solid nickel, whose S(Q) is known."""
    wavelength, density, nickel = KEV / 74, 8.908, parse("Ni")
    q = np.arange(0.5, 25, 0.01)
    once = coherent(NICKEL, q)[0] + compton(nickel, q, wavelength)
    twice = double_scattering(
        q,
        nickel,
        wavelength=wavelength,
        number_density=nickel.number_density(density),
        mu=linear_attenuation(nickel, density, wavelength),
        shape=Cylinder(0.5),
    )
    settings = {"wavelength": wavelength, "density": density, "qmin": 0.7, "qmax": 24.0}
    settings |= {"dispersion": False, "residual": 0.0}
    clean = absolute(q, once, None, nickel, **settings)
    left = absolute(q, once + twice, None, nickel, **settings)
    taken = absolute(q, once + twice, None, nickel, **settings, twice=twice)
    assert clean.details["double_share"] == 0
    assert taken.details["double_share"] == pytest.approx(0.04, abs=0.015)
    apart = [np.sqrt(np.mean((each.f - clean.f) ** 2)) for each in (taken, left)]
    assert apart[0] < 0.05 * apart[1]


@pytest.mark.parametrize(
    "wrong", [{"number_density": 0.0}, {"mu": -1.0}, {"wavelength": 1.5}, {"mu": np.nan}]
)
def test_what_cannot_be_is_refused(wrong):
    given = {"wavelength": 0.17, "number_density": 0.05, "mu": 0.1, "shape": Cylinder(0.5)} | wrong
    with pytest.raises(DataError, match="cannot be computed"):
        double_scattering(Q, parse("Ni"), **given)
