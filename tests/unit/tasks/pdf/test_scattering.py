import numpy as np
import pytest
import xraydb
import xraylib

from tasks.errors import DataError
from tasks.pdf import scattering
from tasks.pdf.composition import parse

Q = np.linspace(0, 25, 26)
LAB6 = parse("LaB6")


def test_form_factors_begin_with_the_electrons():
    mean = scattering.mean_form_factor(LAB6, Q)
    assert mean[0] == pytest.approx((57 + 6 * 5) / 7, rel=2e-3)
    square = scattering.mean_square_form_factor(LAB6, Q)
    assert square[0] == pytest.approx((57**2 + 6 * 5**2) / 7, rel=2e-3)
    assert np.all(square >= mean**2)


def test_form_factors_are_those_of_waasmaier_and_kirfel():
    """Not far from the older tables of Hubbell et al., which xraylib has."""
    found = scattering.mean_form_factor(parse("Ni"), Q)
    other = [xraylib.FF_Rayl(28, q / (4 * np.pi)) for q in Q]
    np.testing.assert_allclose(found, other, rtol=0.02)


def test_dispersion_lowers_the_amplitude_below_and_near_an_edge():
    plain = scattering.mean_form_factor(parse("Ni"), Q)
    at_edge = scattering.mean_form_factor(parse("Ni"), Q, 12.398 / 8.33)
    assert np.all((plain - at_edge)[:6] > 4)
    far = scattering.mean_form_factor(parse("Ni"), Q, 0.1671)
    assert np.abs(plain - far).max() < 0.2


def test_weights_of_pairs_sum_to_one():
    weights = scattering.faber_ziman_weights(LAB6, Q)
    assert set(weights) == {("B", "B"), ("B", "La"), ("La", "La")}
    np.testing.assert_allclose(sum(weights.values()), 1)
    assert weights["B", "La"][0] == pytest.approx(2 * 57 * 30 / 87**2, rel=5e-3)


@pytest.mark.parametrize("energy", [20.0, 74.2, 120.0])
def test_compton_is_klein_and_nishinas_times_the_incoherent_function(energy):
    q = np.linspace(0.5, 10, 12)
    wavelength = 12.398419843 / energy
    theta = 2 * np.arcsin(q * wavelength / (4 * np.pi))
    wanted = [
        xraylib.DCS_KN(energy, t) / xraylib.DCS_Thoms(t) * xraylib.SF_Compt(28, k / (4 * np.pi))
        for t, k in zip(theta, q, strict=True)
    ]
    np.testing.assert_allclose(scattering.compton(parse("Ni"), q, wavelength), wanted, rtol=1e-5)


def test_a_detector_that_adds_energy_sees_less_compton():
    q = np.array([20.0])
    counts = scattering.compton(LAB6, q, 0.1671)
    energy = scattering.compton(LAB6, q, 0.1671, power=3)
    assert energy / counts == pytest.approx(scattering.recoil(q, 0.1671))
    assert scattering.recoil(q, 0.1671) == pytest.approx(
        xraylib.ComptonEnergy(12.398419843 / 0.1671, 2 * np.arcsin(20 * 0.1671 / (4 * np.pi)))
        / (12.398419843 / 0.1671)
    )


def test_at_high_q_all_electrons_scatter_incoherently():
    free = scattering.compton(LAB6, np.array([300.0]), 0.01)
    assert free[0] < 87 / 7
    assert xraydb.atomic_number("La") == 57


def test_a_wavelength_that_is_none_is_refused():
    with pytest.raises(DataError, match="not that of X-rays"):
        scattering.mean_form_factor(LAB6, Q, 2.7e-11)
