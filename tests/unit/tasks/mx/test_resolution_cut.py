"""The cut against where the true CC1/2 falls to 0.3."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tasks.mx.merge import merge
from tasks.mx.resolution_cut import cuts_along_axes, resolution_cut
from tasks.mx.scale import scale
from tests.unit.tasks.mx.scale_truth import simulate

FADING = {"d_min": 2.2, "b_factor": 45.0, "images": 360, "background": 30.0}


@cache
def truth(strength):
    return simulate(strength=strength, **FADING)


@cache
def merged_of(strength):
    found = truth(strength)
    return merge(scale(found.observations, [found.crystal], found.rotations))


def true_crossing(merged, found, level=0.3):
    """Where the variance of the true intensities is so large beside that of a half set's error."""
    merged = merged.take(merged.count > 1)
    true = np.array([np.nanmean(found.unique[tuple(h)]) for h in merged.hkl.tolist()])
    x = merged.d**-2
    parts = np.array_split(np.argsort(x), 60)
    noise = np.array([np.mean(2 * merged.sigma[each] ** 2) for each in parts])
    signal = np.array([true[each].var() for each in parts])
    middle = np.array([x[each].mean() for each in parts])
    line = np.polyfit(middle, np.log(signal / noise), 2)
    fine = np.linspace(middle[0], middle[-1], 2000)
    return fine[np.argmin(np.abs(np.polyval(line, fine) - np.log(level / (1 - level))))] ** -0.5


@pytest.mark.parametrize("strength", [15.0, 50.0])
def test_cut_is_where_the_true_correlation_crosses(strength):
    found, merged = truth(strength), merged_of(strength)
    cut = resolution_cut(merged)
    assert cut.reached
    assert cut.d_min == pytest.approx(true_crossing(merged, found), abs=0.1)


def test_rings_of_ice_do_not_move_the_cut():
    merged = merged_of(50.0)
    ring = (np.abs(merged.d - 2.67) < 0.03) | (np.abs(merged.d - 3.44) < 0.05)
    rng = np.random.default_rng(3)
    wrong = 300 * np.where(ring, rng.exponential(size=len(merged)), 0.0)
    spoilt = replace(
        merged,
        intensity=merged.intensity + wrong * rng.normal(size=len(merged)),
        scatter=np.hypot(merged.scatter, wrong),
    )
    assert resolution_cut(spoilt).d_min == pytest.approx(resolution_cut(merged).d_min, abs=0.1)
    assert resolution_cut(spoilt, ice=ring).d_min == pytest.approx(
        resolution_cut(merged).d_min, abs=0.05
    )


def test_strong_data_are_not_cut():
    found = simulate(strength=3000.0, images=200)
    cut = resolution_cut(merge(scale(found.observations, [found.crystal], found.rotations)))
    assert not cut.reached
    assert cut.d_min == pytest.approx(3.0, abs=0.02)
    assert "not cut" in cut.rule


def test_noise_reaches_nowhere():
    merged = merged_of(50.0)
    noise = np.random.default_rng(1).normal(size=len(merged)) * merged.scatter
    cut = resolution_cut(replace(merged, intensity=noise))
    assert np.isnan(cut.d_min)
    assert "nowhere" in cut.rule


def test_few_reflections_are_not_cut():
    assert not resolution_cut(merged_of(50.0).take(np.arange(300))).reached


def test_isotropic_data_reach_as_far_along_each_axis():
    found, merged = truth(50.0), merged_of(50.0)
    whole = resolution_cut(merged).d_min
    along = [each.d_min for each in cuts_along_axes(merged, found.crystal)]
    assert along == pytest.approx([whole] * 3, abs=0.2)
