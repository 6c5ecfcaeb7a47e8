"""Reflections that something else lies on are told from those that are merely strong or weak."""

import numpy as np

from tasks.mx.undisturbed import misfits, undisturbed


def test_a_grain_beside_a_peak_is_told():
    random = np.random.default_rng(1)
    total = random.uniform(200, 20_000, 300)
    below = np.full((300, 6), 40.0)
    seen = random.poisson(below + 0.01 * total[:, None] / 6).astype(float)
    assert undisturbed(seen, below, total).all()
    total[7] = 1000
    seen[7] = 41
    seen[7, 2] += 150
    assert np.nonzero(~undisturbed(seen, below, total))[0].tolist() == [7]


def test_tails_that_all_have_are_no_disturbance():
    random = np.random.default_rng(2)
    total = random.uniform(200, 20_000, 300)
    below = np.full((300, 6), 40.0)
    seen = random.poisson(below + 0.1 * total[:, None] / 6).astype(float)
    assert undisturbed(seen, below, total).all()


def test_misfits_stand_out_of_reflections_of_their_strength():
    random = np.random.default_rng(3)
    strength = random.uniform(1, 100, 2000)
    misfit = (1 + strength / 20) * random.gamma(50, 1 / 50, 2000)
    assert not misfits(strength, misfit).any()
    misfit[[3, 40]] *= 5
    misfit[5], strength[6] = np.nan, np.nan
    assert np.nonzero(misfits(strength, misfit))[0].tolist() == [3, 40]


def test_few_reflections_tell_nothing_of_what_is_usual():
    assert not misfits(np.arange(1.0, 6.0), np.array([1, 1, 1, 1, 90.0])).any()
    assert undisturbed(np.full((3, 2), 99.0), np.zeros((3, 2)), np.ones(3)).all()
