"""Amplitudes, expected intensities and Wilson's plot against simulated truth."""

import gemmi
import numpy as np
import pytest
from scipy.integrate import quad

from tasks.errors import DataError
from tasks.mx.expected_intensity import expected_intensity, spacings
from tasks.mx.french_wilson import french_wilson, posterior
from tasks.mx.wilson import RESIDUE, matthews, wilson

CELL = (50.0, 60.0, 70.0, 90.0, 90.0, 90.0)
GROUP = "P 21 21 21"


def unique(d_min=2.2, cell=CELL, group=GROUP):
    found = gemmi.make_miller_array(
        gemmi.UnitCell(*cell), gemmi.find_spacegroup_by_name(group), d_min, 0, True
    )
    return np.asarray(found, dtype=np.int32)


def measured(hkl, mean, noise, seed=0, group=GROUP):
    """True intensities by Wilson, and what errors make of them."""
    rng = np.random.default_rng(seed)
    operations = gemmi.find_spacegroup_by_name(group).operations()
    centric = np.asarray(operations.centric_flag_array(hkl), dtype=bool)
    epsilon = np.asarray(operations.epsilon_factor_without_centering_array(hkl))
    size = mean * epsilon
    truth = np.where(
        centric, size * rng.normal(size=len(hkl)) ** 2, size * rng.exponential(size=len(hkl))
    )
    sigma = noise * (0.5 + rng.random(len(hkl)))
    return truth, truth + sigma * rng.normal(size=len(hkl)), sigma, centric


@pytest.mark.parametrize("centric", [False, True])
@pytest.mark.parametrize("value", [-3.0, -0.5, 0.0, 1.0, 4.0, 30.0])
def test_moments_are_the_integrals(centric, value):
    sigma, mean = 1.3, 5.0

    def density(j):
        prior = np.exp(-j / (2 * mean)) / np.sqrt(j) if centric else np.exp(-j / mean)
        return prior * np.exp(-0.5 * ((value * sigma - j) / sigma) ** 2)

    def moment(power):  # in f, j = f²
        top = np.sqrt(max(value, 0) * sigma + 12 * sigma)
        return quad(lambda f: 2 * f * density(f * f) * f**power, 1e-9, top, limit=500)[0]

    found = posterior(
        np.array([value * sigma]), np.array([sigma]), np.array([mean]), np.array([centric])
    )
    f, j, fourth = (moment(power) / moment(0) for power in (1, 2, 4))
    assert found.f[0] == pytest.approx(f, rel=1e-6)
    assert found.intensity[0] == pytest.approx(j, rel=1e-6)
    assert found.f_sigma[0] == pytest.approx(np.sqrt(j - f * f), rel=1e-5)
    assert found.intensity_sigma[0] == pytest.approx(np.sqrt(fourth - j * j), rel=1e-5)


@pytest.mark.parametrize("noise", [0.2, 1.0, 5.0])
def test_amplitudes_are_unbiased_and_their_errors_are_right(noise):
    hkl = unique()
    d = spacings(hkl, CELL)
    truth, intensity, sigma, _ = measured(hkl, np.exp(-20 / (2 * d**2)) * 10, noise)
    found = french_wilson(hkl, intensity, sigma, CELL, GROUP)
    kept = ~found.rejected
    assert kept.mean() > 0.998
    for low, high in ((50, 4), (4, 3), (3, 2.5), (2.5, 2.2)):
        rows = kept & (d <= low) & (d > high)
        pull = (found.f - np.sqrt(truth))[rows] / found.f_sigma[rows]
        assert abs(pull.mean()) < 4 / np.sqrt(rows.sum()) + 0.03
        assert abs(pull.std() - 1) < 0.06
        pull = (found.intensity - truth)[rows] / found.intensity_sigma[rows]
        assert abs(pull.mean()) < 4 / np.sqrt(rows.sum()) + 0.03


def test_the_expected_intensity_finds_fall_and_ellipsoid():
    hkl = unique(2.0)
    rows = np.array(gemmi.UnitCell(*CELL).frac.mat.tolist())
    s = hkl @ rows
    b = np.array([15.0, 25.0, 50.0])
    mean = 100 * np.exp(-(s**2 @ b) / 2)
    _, intensity, sigma, _ = measured(hkl, mean, 2.0)
    found = expected_intensity(hkl, intensity, sigma, CELL, GROUP)
    ratio = found.mean / found.epsilon / mean
    assert np.median(np.abs(ratio - 1)) < 0.03
    assert np.allclose(found.b, b - b.mean(), atol=1.5)
    assert found.anisotropy == pytest.approx(35, abs=5 * found.b_sigma + 1)
    assert "anisotropic" in found.warning


def test_what_is_isotropic_is_not_called_anisotropic():
    hkl = unique()
    d = spacings(hkl, CELL)
    for seed in range(20):
        _, intensity, sigma, _ = measured(hkl, 50 * np.exp(-15 / d**2), 1.0, seed)
        assert not expected_intensity(hkl, intensity, sigma, CELL, GROUP).warning


def test_no_signal_is_refused():
    hkl = unique(4.0)
    with pytest.raises(DataError, match="no signal"):
        french_wilson(hkl, -np.ones(len(hkl)), np.ones(len(hkl)), CELL, GROUP)


def test_impossible_intensities_are_rejected():
    hkl = unique(3.0)
    _, intensity, sigma, _ = measured(hkl, np.full(len(hkl), 10.0), 1.0)
    intensity[7] = -12 * sigma[7]
    found = french_wilson(hkl, intensity, sigma, CELL, GROUP)
    assert found.rejected[7]
    assert np.isnan(found.f[7])


@pytest.mark.parametrize("b", [10.0, 35.0])
def test_wilson_finds_b_and_scale_within_its_errors(b):
    hkl = unique(1.8)
    held = matthews(CELL, GROUP)
    assert 0.4 < held.solvent < 0.55
    number = 4 * held.residues
    s2 = 1 / spacings(hkl, CELL) ** 2
    square = np.zeros(len(hkl))
    for name, count in RESIDUE.items():
        form = gemmi.Element(name).it92
        square += count * number * np.array([form.calculate_sf(each / 4) for each in s2]) ** 2
    pulls = []
    for seed in range(10):
        _, intensity, _, _ = measured(hkl, 0.2 * square * np.exp(-b * s2 / 2), 1e-9, seed)
        found = wilson(hkl, intensity, CELL, GROUP)
        pulls.append([(found.b - b) / found.b_sigma, (found.scale - 5) / found.scale_sigma])
        assert found.b == pytest.approx(b, abs=2)
        assert found.scale == pytest.approx(5, rel=0.1)
    assert np.abs(np.mean(pulls, axis=0)).max() < 1.3
    assert np.std(pulls, axis=0).max() < 1.8


def test_copies_follow_from_the_cell():
    found = matthews((53.9, 53.9, 77.4, 90, 90, 90), "P 43", 153)
    assert found.copies == 1
    assert matthews((100, 100, 150, 90, 90, 90), "P 43", 153).copies == 9


def test_too_few_shells_are_refused():
    hkl = unique(2.2)
    with pytest.raises(DataError, match="shells"):
        wilson(hkl, -np.ones(len(hkl)), CELL, GROUP)
