import numpy as np
import pytest

from tasks.errors import DataError
from tasks.xas.onset import centred, onset

ENERGY = np.r_[np.arange(7000, 7095, 5.0), np.arange(7095, 7150, 0.5), np.arange(7150, 7300, 3.0)]
EDGES = np.array([7110.3, 7112.0, 7119.7])
SPECTRA = 0.5 + np.arctan((ENERGY - EDGES[:, None]) / 1.5) / np.pi


def test_half_the_step_is_the_middle_of_an_arctangent():
    assert np.abs(onset(ENERGY, SPECTRA) - EDGES).max() < 0.15


def test_the_onset_moves_with_the_spectrum():
    lower = onset(ENERGY, SPECTRA, 0.3)
    assert np.abs(np.diff(lower) - np.diff(EDGES)).max() < 0.1
    assert np.all(lower < EDGES)


def test_noise_moves_it_little():
    rng = np.random.default_rng(3)
    noisy = SPECTRA[[1] * 200] + 0.01 * rng.normal(size=(200, len(ENERGY)))
    assert onset(ENERGY, noisy).std() < 0.1


def test_a_spectrum_that_never_rises_is_named():
    with pytest.raises(DataError, match="Spectrum 2 does not rise"):
        onset(ENERGY, np.concatenate([SPECTRA[:2], 0 * SPECTRA[:1]]))


def test_centred_spectra_lie_on_each_other():
    grid = np.arange(-15, 60.01, 0.5)
    found = centred(ENERGY, SPECTRA, EDGES, grid)
    truth = 0.5 + np.arctan(grid / 1.5) / np.pi
    assert np.abs(found - truth).max() < 0.005


def test_sparse_points_before_the_edge_do_not_swing():
    rng = np.random.default_rng(1)
    noise = 0.01 * rng.normal(size=(50, len(ENERGY)))
    between = centred(ENERGY, noise, np.full(50, 7092.0), np.linspace(-2, 3, 30))
    assert np.abs(between).max() <= np.abs(noise).max()


def test_ends_are_repeated():
    found = centred(ENERGY, SPECTRA[:1], EDGES[:1], np.array([-500.0, 500.0]))
    assert found[0].tolist() == [SPECTRA[0, 0], SPECTRA[0, -1]]
