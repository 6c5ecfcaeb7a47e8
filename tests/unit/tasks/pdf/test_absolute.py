import time

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.absolute import absolute, shortest_distance
from tasks.pdf.absorption import capillary
from tasks.pdf.composition import parse
from tasks.pdf.fourier import to_gr
from tests.unit.tasks.pdf.crystals import NICKEL, coherent, compton

WAVELENGTH, Q = 0.1671, np.arange(0.5, 25, 0.01)
NI, DENSITY = parse("Ni"), 8.908
SETTINGS = {"wavelength": WAVELENGTH, "density": DENSITY, "qmin": 0.7, "qmax": 24.0}
GIVEN = {**SETTINGS, "dispersion": False}


@pytest.fixture(scope="module")
def nickel():
    """Ideal intensity per atom, and S(Q)."""
    intensity, s = coherent(NICKEL, Q)
    return intensity + compton({"Ni": 1.0}, Q, WAVELENGTH), s


def amplitude(found, s):
    """How strong S(Q) - 1 is, relative to the truth, (frames,)."""
    wanted = np.interp(found.q, Q, s) - 1
    return (found.s - 1) @ wanted / (wanted @ wanted)


@pytest.mark.parametrize("constant", [0.0, 30.0, 300.0])
def test_the_amplitude_is_absolute_under_any_fluorescence(nickel, constant):
    intensity, s = nickel
    found = absolute(Q, 0.37 * (intensity + constant), None, NI, **GIVEN)
    assert amplitude(found, s)[0] == pytest.approx(1, abs=0.01)
    assert found.details["alpha"][0] == pytest.approx(0.37, rel=0.01)
    assert found.details["alpha_disagreement"][0] < 0.02
    assert found.details["residual"] == 0
    slow = found.details["slow"][0, 0] / 0.37
    assert slow == pytest.approx(constant, abs=2)


@pytest.mark.parametrize("normalisation", ["krogh_moe_norman", "high_q"])
def test_each_way_to_normalise_agrees_on_ideal_data(nickel, normalisation):
    intensity, s = nickel
    found = absolute(Q, intensity, None, NI, **GIVEN, normalisation=normalisation)
    assert amplitude(found, s)[0] == pytest.approx(1, abs=0.015)


def test_a_slow_rest_does_not_eat_the_amplitude(nickel):
    intensity, s = nickel
    rest = 40 * np.cos(Q / 5) + 0.1 * Q**2
    found = absolute(Q, intensity + rest, None, NI, **GIVEN)
    assert amplitude(found, s)[0] == pytest.approx(1, abs=0.03)
    stiff = absolute(Q, intensity + rest, None, NI, **GIVEN, residual=0.0)
    assert stiff.details["low_r_misfit"][0] > found.details["low_r_misfit"][0]


def test_low_r_is_the_line_of_the_mean_density(nickel):
    found = absolute(Q, nickel[0], None, NI, **GIVEN)
    r = np.arange(0.5, 1.9, 0.01)
    g = to_gr(found.q, found.f, None, r, qmin=0.7, qmax=24, window="lorch", low_q="linear").g[0]
    slope = (g @ r) / (r @ r)
    assert slope == pytest.approx(-4 * np.pi * 4 / 3.524**3, rel=0.03)


def test_a_wrong_density_shows_where_ways_disagree(nickel):
    found = absolute(Q, nickel[0], None, NI, **{**GIVEN, "density": 6.0}, residual=0.0)
    right = absolute(Q, nickel[0], None, NI, **GIVEN, residual=0.0)
    assert found.details["alpha_disagreement"][0] > 5 * right.details["alpha_disagreement"][0]


def test_absorption_is_undone(nickel):
    intensity, s = nickel
    angles = 2 * np.arcsin(Q * WAVELENGTH / (4 * np.pi))
    passed = capillary(angles, 4.0, 0.5).s_sc
    found = absolute(Q, intensity * passed, None, NI, **GIVEN, transmitted=passed)
    assert amplitude(found, s)[0] == pytest.approx(1, abs=0.01)


def test_sigma_goes_from_counts_to_distances(nickel):
    """Scatter over stated sigma, of S(Q), alpha and G(r)."""
    rng = np.random.default_rng(1)
    truth, frames, r = nickel[0] + 50, 300, np.arange(1.5, 20, 0.1)
    counts = rng.poisson(truth * 100, (frames, len(Q))) / 100
    found = absolute(Q, counts, np.sqrt(truth / 100) * np.ones((frames, 1)), NI, **GIVEN,
                     residual=0.0)  # fmt: skip
    alpha = found.details["alpha"]
    assert 0.85 < alpha.std() / found.details["alpha_sigma"].mean() < 1.15
    steady = found.f * alpha[:, None] / alpha.mean()  # alpha is common to all bins of a frame
    bins = steady.std(axis=0) / found.f_sigma.mean(axis=0)
    assert 0.9 < np.median(bins) < 1.1
    pairs = to_gr(found.q, found.f, found.f_sigma, r, qmin=0.7, qmax=24)
    quiet = np.abs(pairs.g.mean(axis=0)) < 1
    pull = pairs.g.std(axis=0) / pairs.g_sigma.mean(axis=0)
    assert 0.9 < np.median(pull[quiet]) < 1.1


def test_a_thousand_patterns_take_seconds(nickel):
    block = nickel[0] * np.linspace(1, 3, 1000)[:, None]
    start = time.perf_counter()
    found = absolute(Q, block, np.sqrt(block), NI, **GIVEN)
    assert time.perf_counter() - start < 10
    np.testing.assert_allclose(found.f[999], found.f[0], atol=1e-8)


def test_short_bonds_are_guessed_below_the_real_ones():
    bonds = {"Ni": 2.49, "LaB6": 1.65, "SiO2": 1.61, "H2O": 0.96, "CeO2": 2.34, "Si": 2.35}
    for formula, bond in bonds.items():
        assert 0.5 * bond < shortest_distance(parse(formula)) <= 1.05 * bond, formula


def test_an_impossible_scale_is_refused(nickel):
    with pytest.raises(DataError, match="No scale brings pattern 0"):
        absolute(Q, -nickel[0], None, NI, **GIVEN)
