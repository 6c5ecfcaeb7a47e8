import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.eggert import eggert_kaplow
from tasks.pdf.liquids import coordination, number_density, pair_weight, radial_functions
from tests.unit.tasks.pdf.crystal_truth import NI, noise, simulate

Q = np.arange(1, 1001) * 0.02
R = np.arange(1, 501) * 0.02
DIAMETER, PACKING = 2.5, 0.4
RHO = 6 * PACKING / np.pi / DIAMETER**3


def hard_spheres(q):
    """S(Q) of hard spheres (J. K. Percus, G. J. Yevick, Phys. Rev. 110, 1 (1958)), softened."""
    x, eta = q * DIAMETER, PACKING
    a = (1 + 2 * eta) ** 2 / (1 - eta) ** 4
    b = -6 * eta * (1 + eta / 2) ** 2 / (1 - eta) ** 4
    sin, cos = np.sin(x), np.cos(x)
    one = a / x**2 * (sin - x * cos)
    two = b / x**3 * (2 * x * sin + (2 - x**2) * cos - 2)
    three = eta * a / 2 / x**5
    three *= -(x**4) * cos + 4 * ((3 * x**2 - 6) * cos + (x**3 - 6 * x) * sin + 6)
    s = 1 / (1 + 24 * eta * (one + two + three) / x)
    return 1 + (s - 1) * np.exp(-0.02 * q**2)


S = hard_spheres(Q)


def big_g(s, r=R):
    return 2 / np.pi * 0.02 * ((s - 1) * Q) @ np.sin(np.outer(Q, r))


def test_functions_of_a_liquid():
    radial = radial_functions(R, np.stack([big_g(S)] * 2), np.full((2, 500), 0.1), RHO)
    assert np.abs(radial.g[:, (R > 0.5) & (R < 1.5)]).max() < 0.01  # nothing is that near
    assert radial.g[0, R > 9.5] == pytest.approx(1, abs=0.02)
    assert np.allclose(radial.rdf, 4 * np.pi * RHO * R**2 * radial.g)
    assert np.allclose(radial.t, radial.rdf / R)
    assert np.allclose(radial.rdf_sigma, 0.1 * R)
    assert np.allclose(radial.g_sigma, 0.1 / (4 * np.pi * RHO * R))


def test_neighbours_of_a_liquid_are_counted_in_two_ways():
    radial = radial_functions(R, big_g(S), None, RHO)
    found = coordination(radial, qmax=20.0, low=1.6, high=5.0)
    fine = np.arange(1, 5001) * 0.002
    rdf = radial_functions(fine, big_g(S, fine), None, RHO).rdf
    shell = (fine > 2.4) & (fine < 3.2)
    top = fine[shell][np.argmax(rdf[shell])]
    behind = (fine > top) & (fine < 4.5)
    bottom = fine[behind][np.argmin(rdf[behind])]
    assert found.peak == pytest.approx(top, abs=0.01)
    assert found.minimum == pytest.approx(bottom, abs=0.02)
    step = 0.002
    assert found.to_minimum == pytest.approx(
        rdf[(fine > 1.6) & (fine < bottom)].sum() * step, abs=0.15
    )
    assert found.symmetric == pytest.approx(
        2 * rdf[(fine > 1.6) & (fine < top)].sum() * step, abs=0.15
    )
    assert found.symmetric < found.to_minimum - 1
    assert found.to_minimum_sigma > 0.2  # where the minimum lies matters


def test_twelve_neighbours_in_nickel_and_their_sigma():
    r = np.arange(1, 801) * 0.01
    rho = 4 / 3.524**3
    rng = np.random.default_rng(1)
    g = simulate(NI, r, 25.0, u=0.01)
    counts = []
    for each in noise(r, 25.0, 0.5, rng, frames=60):
        radial = radial_functions(r, g + each, np.full_like(r, 0.5), rho)
        counts.append(coordination(radial, qmax=25.0, low=2.0, high=3.4))
    for way in ("to_minimum", "symmetric"):
        values = np.array([getattr(each, way) for each in counts])
        sigma = np.mean([getattr(each, f"{way}_sigma") for each in counts])
        assert values.mean() == pytest.approx(12, abs=0.25)
        assert 0.5 < values.std() / sigma < 1.5


def test_an_area_is_divided_by_what_the_pair_scatters():
    fractions, scattering = np.array([1 / 3, 2 / 3]), np.array([14.0, 8.0])
    oxygen_about_silicon = pair_weight(fractions, scattering, 0, 1)
    silicon_about_oxygen = pair_weight(fractions, scattering, 1, 0)
    assert oxygen_about_silicon == pytest.approx(2 * (1 / 3) * 14 * 8 / 10**2)
    assert silicon_about_oxygen == pytest.approx(2 * oxygen_about_silicon)  # 4 and 2 neighbours
    assert pair_weight(np.ones(1), np.array([28.0]), 0, 0) == pytest.approx(1)


def test_densities():
    assert number_density(8.908, 58.693) == pytest.approx(4 / 3.524**3, rel=2e-3)
    for density in (0.0, -1.0):
        with pytest.raises(DataError, match="is none"):
            number_density(density, 58.7)
    with pytest.raises(DataError, match="a density above 0"):
        radial_functions(R, big_g(S), None, 0.0)


def test_a_shell_that_is_not_there_is_refused():
    radial = radial_functions(R, big_g(S), None, RHO)
    with pytest.raises(DataError, match=r"no peak with a minimum behind it between 1 and 2\.5"):
        coordination(radial, qmax=20.0, low=0.99, high=2.5)
    with pytest.raises(DataError, match="no values to count"):
        coordination(radial, qmax=20.0, low=3.0, high=2.0)


WRONG = {
    "scale": 1.05 * S,
    "too little": 0.93 * S,
    "background": S + 0.1 * np.exp(-(Q**2) / 50),
}


@pytest.mark.parametrize("error", WRONG)
def test_slow_errors_are_taken_away(error):
    found = eggert_kaplow(Q, WRONG[error][None], rmin=1.9, rho=RHO)
    assert found.converged.all()
    assert found.misfit[-1, 0] < 1e-4 * found.misfit[0, 0]
    before, after = (np.sqrt(np.mean((s - S) ** 2)) for s in (WRONG[error], found.s[0]))
    assert after < (0.35 if error == "background" else 0.05) * before
    within = R < 3.66
    rdf, truth = (radial_functions(R, big_g(s), None, RHO).rdf for s in (found.s[0], S))
    assert rdf[within].sum() == pytest.approx(truth[within].sum(), rel=0.015)


def test_a_frame_does_not_depend_on_the_others():
    alone = eggert_kaplow(Q, WRONG["scale"][None], rmin=1.9, rho=RHO)
    together = eggert_kaplow(Q, np.stack(list(WRONG.values())), rmin=1.9, rho=RHO)
    assert np.allclose(together.s[0], alone.s[0], atol=1e-12)


def test_what_is_right_is_left_alone():
    found = eggert_kaplow(Q, S[None], rmin=1.8, rho=RHO)
    assert found.iterations == 0
    assert np.array_equal(found.s[0], S)


def test_an_iteration_cut_short_says_so():
    found = eggert_kaplow(Q, WRONG["scale"][None], rmin=1.9, rho=RHO, most=2)
    assert found.iterations == 2
    assert not found.converged[0]


def test_grids_and_numbers_that_cannot_be_used_are_refused():
    with pytest.raises(DataError, match="equidistant Q above 0"):
        eggert_kaplow(Q**1.1, S[None], rmin=1.9, rho=RHO)
    with pytest.raises(DataError, match=r"nothing can be told below 0\.2 Å"):
        eggert_kaplow(Q, S[None], rmin=0.2, rho=RHO)
    with pytest.raises(DataError, match="density above 0"):
        eggert_kaplow(Q, S[None], rmin=1.9, rho=-1.0)
