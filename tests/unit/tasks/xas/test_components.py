import numpy as np
import pytest

from tasks.errors import DataError
from tasks.xas.components import components, second_moment, transform_targets

ENERGY = np.linspace(-20, 60, 160)
NOISE = 0.002


def compound(place, line, wiggle):
    x = ENERGY - place
    rise = 0.5 + np.arctan(x / 1.2) / np.pi
    return rise + line * np.exp(-(((x - 4) / 3) ** 2)) + 0.05 * np.sin(x / wiggle) * (x > 8)


STANDARDS = np.stack([compound(0, 0.1, 4), compound(4, 0.5, 3), compound(9, 0.8, 2.5)])
STRANGER = compound(6, 0.2, 6)


def series(count=400, kinds=3, noise=NOISE, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(kinds), count)
    return weights @ STANDARDS[:kinds] + noise * rng.normal(size=(count, 160))


@pytest.mark.parametrize("kinds", [1, 2, 3])
def test_as_many_components_as_were_mixed(kinds):
    found = components(second_moment(series(kinds=kinds)), 400, NOISE)
    assert found.by_noise == kinds
    assert found.by_indicator == kinds
    assert found.real_error[kinds - 1] == pytest.approx(NOISE, rel=0.02)
    assert found.explained[kinds - 1] > 0.9999


def test_components_are_those_of_the_singular_values():
    spectra = series()
    found = components(second_moment(spectra), 400)
    left, values, right = np.linalg.svd(spectra, full_matrices=False)
    assert np.allclose(found.squares, values**2, rtol=1e-9, atol=1e-9)
    assert np.allclose(np.abs(np.sum(found.shapes[:3] * right[:3], axis=1)), 1)
    assert np.allclose(
        np.abs(found.scores(spectra, 3)), np.abs(left[:, :3] * values[:3]), atol=1e-6
    )
    assert found.by_noise is None


def test_real_error_and_indicator_by_their_definition():
    found = components(second_moment(series(30)), 30)
    tail = found.squares[2:].sum()
    assert found.real_error[1] == pytest.approx(np.sqrt(tail / (160 * 28)))
    assert found.indicator[1] == pytest.approx(found.real_error[1] / 28**2)
    assert len(found.squares) == 30


def test_blocks_add_up():
    spectra = series()
    moment = sum(second_moment(spectra[begin : begin + 64]) for begin in range(0, 400, 64))
    whole = components(second_moment(spectra), 400, NOISE)
    parts = components(moment, 400, NOISE)
    assert np.allclose(parts.squares, whole.squares)
    assert parts.by_noise == whole.by_noise


def test_standards_of_the_series_are_possible_and_others_are_not():
    rng = np.random.default_rng(3)
    found = components(second_moment(series()), 400, NOISE)
    noisy = np.stack([*STANDARDS, STRANGER]) + 0.0005 * rng.normal(size=(4, 160))
    targets = transform_targets(found, 3, noisy)
    assert targets.possible.tolist() == [True, True, True, False]
    assert np.all(targets.residual[:3] < 0.001)
    assert targets.residual[3] > 0.01
    assert targets.spoil[3] > 6
    assert np.abs(targets.rebuilt[:3] - STANDARDS).max() < 0.003


def test_a_short_series_passes_its_standards_by_spoil_alone():
    found = components(second_moment(series(20)), 20, NOISE)
    targets = transform_targets(found, 3, np.stack([*STANDARDS, STRANGER]), allowance=0)
    assert targets.possible.tolist() == [True, True, True, False]


def test_too_few_spectra_and_bad_values_are_refused():
    with pytest.raises(DataError, match="in 2 spectra of 160 points"):
        components(second_moment(series(2)), 2)
    spectra = series(10)
    spectra[3, 4] = np.nan
    with pytest.raises(DataError, match="not numbers"):
        components(second_moment(spectra), 10)


def test_noise_that_is_never_reached_takes_all():
    found = components(second_moment(series(20)), 20, 1e-9)
    assert found.by_noise == 20
