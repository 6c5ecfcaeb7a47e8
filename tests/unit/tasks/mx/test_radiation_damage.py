"""Damage is told with the image from which it matters, and not where there is none."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.mx.radiation_damage import LOST, radiation_damage
from tests.unit.tasks.mx.intensities import CELLS, intensities, sweep


def seen(decay, seed=0, degrees=180.0, **more):
    crystal, hkl, truth = intensities("P 43 21 2", CELLS["P 43 21 2"], 2.5, atoms=30, seed=seed)
    return sweep(crystal, hkl, truth, degrees=degrees, decay=decay, seed=seed, **more)


@pytest.mark.parametrize("seed", range(3))
def test_a_crystal_that_lasts_is_not_called_damaged(seed):
    found = radiation_damage(seen(0.0, seed), "P 43 21 2")
    assert not found.warning
    assert np.abs(found.relative_b).max() < 5 * found.relative_b_sigma.max()


@pytest.mark.parametrize("decay", [10.0, 30.0])
def test_the_growth_of_b_is_found_and_the_image_from_which_it_matters(decay):
    found = radiation_damage(seen(decay), "P 43 21 2")
    share = found.image / 360
    expected = decay * (share - share[0])
    pull = (found.relative_b - expected)[1:] / found.relative_b_sigma[1:]
    assert np.sqrt(np.mean(pull**2)) < 3
    assert np.allclose(found.relative_b, expected, atol=0.1 * decay)
    matters = -np.log(1 - LOST) * 2 * found.d_min**2 / decay * 360
    if matters < 330:
        assert "Radiation damage" in found.warning
        assert found.matters_from == pytest.approx(matters, abs=40)
    else:
        assert found.matters_from is None


def test_equivalents_that_drift_apart_are_told():
    calm = seen(0.0, drift=0.0)
    share = calm.xyz[:, 2] / calm.xyz[:, 2].max()
    grows = np.abs(calm.hkl).sum(axis=1) % 2 == 0
    wild = np.where(grows, 1 + 0.5 * share, 1 - 0.5 * share)
    found = radiation_damage(replace(calm, intensity=calm.intensity * wild), "P 43 21 2")
    assert found.slope > 0.2
    assert "far ends" in found.warning


def test_without_equivalents_nothing_is_claimed():
    few = seen(30.0).take(np.arange(50))
    assert radiation_damage(few, "P 43 21 2") is None
