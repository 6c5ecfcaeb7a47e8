"""Scaling, the error model and outliers against simulated observations of known scales."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.absorption import harmonics, terms
from tasks.mx.merge import merge
from tasks.mx.reflections import Flag, Observations
from tasks.mx.scale import scale
from tests.unit.tasks.mx.scale_truth import simulate


@cache
def truth(**changes):
    return simulate(**changes)


@cache
def scaled(**changes):
    found = truth(**changes)
    crystals = found.crystal if isinstance(found.crystal, tuple) else [found.crystal]
    return scale(found.observations, crystals, found.rotations)


def misfit(**changes):
    """Difference of ln g from the truth; overall scale and overall B cannot be told."""
    result, found = scaled(**changes), truth(**changes)
    kept = result.kept
    wrong = np.log(result.scale / found.scale)[kept]
    free = np.column_stack([np.ones(kept.sum()), 1 / (2 * found.observations.d[kept] ** 2)])
    return wrong - free @ np.linalg.lstsq(free, wrong, rcond=None)[0]


def pulls(merged, found):
    """Deviations of merged intensities from the truth in sigmas; scale and B between are fitted."""
    true = np.array([np.nanmean(found.unique[tuple(h)]) for h in merged.hkl.tolist()])
    free = np.column_stack([np.ones(len(merged)), -1 / (2 * merged.d**2)])
    constants = np.zeros(2)
    for _ in range(8):
        model = true * np.exp(free @ constants)
        pull = (merged.intensity - model) / merged.sigma
        step = np.linalg.lstsq(free * (model / merged.sigma)[:, None], pull, rcond=None)[0]
        constants = constants + step
    return pull, true


STRONG = {"strength": 400.0, "outliers": 0.01}
WEAK = {"strength": 60.0, "b_factor": 40.0, "d_min": 2.8, "seed": 3}
THREE = {"sweeps": 3, "images": 200, "strength": 400.0, "seed": 5}


def test_scales_decay_and_absorption_come_back_within_a_per_cent():
    assert misfit(**STRONG).std() < 0.005
    assert np.abs(misfit(**STRONG)).max() < 0.03


def test_scales_of_weak_data_come_back():
    assert misfit(**WEAK).std() < 0.02


def test_several_crystals_with_scales_of_their_own_come_back():
    assert misfit(**THREE).std() < 0.01
    assert not scaled(**THREE).warnings


def test_scales_that_differ_by_a_thousand_come_back():
    found = truth(**THREE)
    factor = np.array([1.0, 1000.0, 0.03])[found.observations.sweep]
    seen = replace(
        found.observations,
        intensity=found.observations.intensity * factor,
        sigma=found.observations.sigma * factor,
    )
    result = scale(seen, found.crystal, found.rotations)
    ratio = np.log(result.scale / found.scale / factor)
    free = np.column_stack([np.ones(len(seen)), 1 / (2 * seen.d**2)])
    wrong = ratio - free @ np.linalg.lstsq(free, ratio, rcond=None)[0]
    assert wrong.std() < 0.01
    assert result.errors.isa == pytest.approx(scaled(**THREE).errors.isa, rel=1e-3)


def test_decay_falls_as_the_crystal_was_damaged():
    model = scaled(**STRONG).model
    begin, end = model.decay(0, np.array([30.0, 690.0]))
    true = 4 * ((690 / 720) ** 1.5 - (30 / 720) ** 1.5)
    assert begin - end == pytest.approx(true, abs=0.4)


def test_a_closed_shutter_is_bridged():
    found = truth(**STRONG)
    z = found.observations.xyz[:, 2]
    seen = found.observations.take((z < 300) | (z > 360))
    result = scale(seen, [found.crystal], found.rotations)
    wrong = np.log(result.scale / found.scale[(z < 300) | (z > 360)])[result.kept]
    assert wrong.std() < 0.15  # of B that cannot be told; no wild scales
    assert np.isfinite(result.model.scale(0, np.arange(720.0))).all()


@pytest.mark.parametrize(("b", "strength"), [(0.06, 400.0), (0.01, 5000.0)])
def test_isa_comes_back(b, strength):
    found = scaled(b=b, strength=strength)
    assert found.errors.isa == pytest.approx(1 / b, rel=0.08)


def test_weak_data_do_not_tell_isa_but_it_stays_reasonable():
    assert 10 < scaled(**WEAK).errors.isa < 100


def test_outliers_among_friedel_mates_apart_are_found():
    found = truth(outliers=0.01, images=400, anomalous=0.05, seed=9)
    result = scale(found.observations, [found.crystal], found.rotations, anomalous=True)
    assert (result.kept & found.outlier).sum() < 0.1 * found.outlier.sum()
    assert (~result.kept & ~found.outlier).sum() < 1e-3 * len(result.kept)


def test_sigmas_that_are_too_small_are_told():
    found = scaled(a=1.4)
    assert found.errors.a == pytest.approx(1.4, rel=0.05)


def test_normalised_deviations_have_unit_width_at_any_intensity():
    assert np.abs(scaled(**STRONG).errors.widths - 1).max() < 0.1
    assert np.abs(scaled(**WEAK).errors.widths - 1).max() < 0.1


def test_outliers_are_found_and_little_else():
    found, result = truth(**STRONG), scaled(**STRONG)
    missed = (result.kept & found.outlier).sum() / found.outlier.sum()
    false = (~result.kept & ~found.outlier).sum() / len(result.kept)
    assert missed < 0.03
    assert false < 1e-4
    assert result.rejected == pytest.approx(0.01, abs=0.002)


@pytest.mark.parametrize("changes", [STRONG, WEAK], ids=["strong", "weak"])
def test_merged_intensities_are_right_within_their_sigmas(changes):
    found = merge(scaled(**changes))
    pull, true = pulls(found, truth(**changes))
    assert abs(np.mean(pull)) < 0.1
    assert 0.9 < np.std(pull) < 1.1
    for order in (np.argsort(true), np.argsort(found.d)):
        for part in np.array_split(pull[order], 6):
            assert abs(np.mean(part)) < 0.15
            assert 0.85 < np.std(part) < 1.15


def test_friedel_pairs_kept_apart_leave_an_anomalous_signal_out_of_the_errors():
    found = truth(anomalous=0.1, seed=7)
    apart = scale(found.observations, [found.crystal], found.rotations, anomalous=True)
    assert apart.errors.isa == pytest.approx(1 / 0.03, rel=0.1)
    together = scale(found.observations, [found.crystal], found.rotations)
    assert together.errors.isa < 0.6 * apart.errors.isa
    merged = merge(apart)
    true = np.array([np.subtract(*found.unique[tuple(h)]) for h in merged.hkl.tolist()])
    known = np.isfinite(merged.anomalous)
    assert np.corrcoef(true[known], merged.anomalous[known])[0, 1] > 0.9


def test_flagged_observations_are_left_out():
    found = truth(**STRONG)
    flags = found.observations.flags.copy()
    flags[:100] = int(Flag.OVERLOADED)
    result = scale(replace(found.observations, flags=flags), [found.crystal], found.rotations)
    assert not result.usable[:100].any()
    assert not result.kept[:100].any()


def test_a_sweep_that_shares_nothing_is_told():
    found = truth(**THREE)
    seen = found.observations
    other = seen.take(seen.sweep == 2)
    rest = seen.take((seen.sweep < 2) & (seen.hkl[:, 2] % 2 == 0))
    other = other.take(other.hkl[:, 2] % 2 == 1)
    result = scale(Observations.join([rest, other]), found.crystal, found.rotations)
    assert any("sweep 3 shares 0" in each for each in result.warnings)


def test_nothing_to_scale_is_told():
    found = truth(**STRONG)
    seen = found.observations.take(np.arange(5))
    seen = replace(seen, sigma=np.zeros(5))
    with pytest.raises(DataError, match="none of the 5 observations"):
        scale(seen, [found.crystal])


def test_few_observations_are_scaled_all_the_same():
    found = truth(**STRONG)
    result = scale(found.observations.take(np.arange(0, 60)), [found.crystal], found.rotations)
    assert np.isfinite(result.scale).all()
    assert np.isfinite(result.sigma[result.kept]).all()


def test_harmonics_are_orthonormal():
    points = np.random.default_rng(0).normal(size=(200_000, 3))
    found = harmonics(points, 4)
    assert found.shape[1] == terms(4) == 24
    assert np.abs(found.T @ found / len(points) - np.eye(24)).max() < 0.02
