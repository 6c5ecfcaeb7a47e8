import numpy as np
import pytest

from tasks.xas.lcf_missing import missing_component

ENERGY = np.arange(7092.0, 7172.0, 0.5)
E0 = 7112.0


def compound(place, line, wiggle):
    x = ENERGY - E0 - place
    rise = 0.5 + np.arctan(x / 1.2) / np.pi
    return rise + line * np.exp(-(((x - 4) / 3) ** 2)) + 0.05 * np.sin(x / wiggle) * (x > 8)


STANDARDS = np.stack([compound(0, 0.1, 4), compound(8, 0.5, 3), compound(12, 0.8, 2.5)])
STRANGER = compound(5, 0.3, 6)


def series(spectra, noise, extra=0.0, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(3), spectra)
    amount = extra * rng.uniform(0, 1, (spectra, 1))
    made = (1 - amount) * (weights @ STANDARDS) + amount * STRANGER
    return made + noise * rng.normal(size=made.shape)


def test_a_missing_component_is_found_with_its_shape():
    found = missing_component(ENERGY, series(60, 0.005, 0.3), STANDARDS, E0)
    assert found.flagged
    assert found.suspicious.mean() > 0.5
    assert found.reason.startswith("A component is missing")
    shapes = np.concatenate([STANDARDS, np.gradient(STANDARDS, ENERGY, axis=1)])
    left = STRANGER - shapes.T @ np.linalg.lstsq(shapes.T, STRANGER, rcond=None)[0]
    assert abs(np.corrcoef(left, found.shape)[0, 1]) > 0.8


@pytest.mark.parametrize("noise", [0.001, 0.01, 0.03])
def test_noise_raises_no_alarm(noise):
    found = [missing_component(ENERGY, series(50, noise, seed=s), STANDARDS, E0) for s in range(40)]
    assert sum(each.flagged for each in found) <= 1
    assert np.mean([each.suspicious.mean() for each in found]) < 0.004
    pooled = np.concatenate([each.chance for each in found])
    assert np.mean(pooled < 0.1) == pytest.approx(0.1, abs=0.03)


def test_shifts_scales_and_lines_raise_no_alarm():
    rng = np.random.default_rng(4)
    spectra = series(50, 0.003)
    moved = [np.interp(ENERGY - 0.05 * rng.normal(), ENERGY, each) for each in spectra]
    after = ENERGY > E0
    slope = 1e-4 * rng.normal(size=(50, 1)) * (ENERGY - E0)
    wrong = np.stack(moved) * (1 + 0.02 * rng.normal(size=(50, 1))) + slope + 0.01 * ~after
    assert not missing_component(ENERGY, wrong, STANDARDS, E0).flagged


def test_one_strange_spectrum_is_pointed_out():
    spectra = series(50, 0.003)
    spectra[17] = 0.5 * spectra[17] + 0.5 * STRANGER
    found = missing_component(ENERGY, spectra, STANDARDS, E0)
    assert np.flatnonzero(found.suspicious).tolist() == [17]
    assert "1 of 50 spectra" in found.reason


def test_what_is_too_small_to_matter_is_left_alone():
    spectra = series(200, 1e-5, 0.02)
    assert not missing_component(ENERGY, spectra, STANDARDS, E0).flagged
    assert missing_component(ENERGY, spectra, STANDARDS, E0, least=1e-5).flagged


def test_a_single_spectrum_is_enough():
    found = missing_component(ENERGY, STRANGER[None] + 0.0, STANDARDS, E0)
    assert found.flagged
    assert found.chance[0] < 1e-6


@pytest.mark.parametrize("extra", [0.0, 0.4])
def test_points_between_those_measured_raise_no_alarm_where_the_noise_is_known(extra):
    """The fast part of interpolated noise is small, its slow part is not."""
    flagged = []
    for seed in range(30):
        spectra = series(6, 0.01, extra, seed)
        between = np.stack([np.interp(ENERGY, ENERGY[::3], each[::3]) for each in spectra])
        alone, known = (
            missing_component(ENERGY, between, STANDARDS, E0, noise=noise)
            for noise in (None, np.full(6, 0.01 * np.sqrt(3)))
        )
        flagged.append((alone.flagged, known.flagged))
    alone, known = np.sum(flagged, axis=0)
    assert alone >= 15
    assert known >= 25 if extra else known <= 1
