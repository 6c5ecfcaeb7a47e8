import numpy as np
import pytest

from tasks.xas.units import ETOK, e_to_k, k_to_e


def test_hundred_electronvolts_are_five_reciprocal_angstroms():
    # de Broglie: the wavelength of an electron of 100 eV is 1.2264 Å
    assert e_to_k(7212.0, 7112.0) == pytest.approx(2 * np.pi / 1.226426, rel=1e-5)


def test_there_and_back_also_below_the_edge():
    energy = np.linspace(7000, 8000, 101)
    k = e_to_k(energy, 7112.0)
    assert np.all(np.diff(k) > 0)
    assert np.abs(k_to_e(k, 7112.0) - energy).max() < 1e-9


def test_the_constant_is_that_of_the_literature():
    assert pytest.approx(0.26246, abs=1e-5) == ETOK
