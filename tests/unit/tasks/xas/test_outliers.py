"""Bad sweeps of a series are found and explained; good ones, and what is new, are kept."""

import array_api_strict
import numpy as np
import pytest

from tasks.io.spectra import RawSpectra
from tasks.xas.absorption import absorption
from tasks.xas.align import align_series
from tasks.xas.deglitch import deglitch
from tasks.xas.outliers import find_outliers, running_median, sweep_distance
from tasks.xas.rebin import common_range, rebin, three_region_grid
from tests.unit.tasks.xas.sweeps_truth import E0, absorption_of, quick_series

KINDS = ("dump", "bubble", "shutter", "refill", "thin")
GRID = np.r_[np.arange(7000.0, 7090, 2), np.arange(7090.0, 7160, 0.5), np.arange(7160.0, 7500, 3)]


def reduce(counts):
    """The chain from counts to aligned absorption on a grid."""
    i0, i1, i2 = counts.detect()
    struck = np.flatnonzero(counts.rng.random(len(i1)) < 0.02)
    i1[struck, counts.rng.integers(0, i1.shape[1], len(struck))] *= 3.0
    seen = absorption(RawSpectra(energy=counts.energy, i0=i0, i1=i1, i2=i2), "transmission")
    rising = counts.energy[:, -1] > counts.energy[:, 0]
    upward = np.where(rising[:, None], seen.mu, seen.mu[:, ::-1])
    clean = deglitch(np.sort(counts.energy[0]), upward, E0)
    glitches = np.where(rising[:, None], clean.glitches, clean.glitches[:, ::-1])
    mu = np.where(glitches, np.nan, seen.mu)
    grid = three_region_grid(*common_range(counts.energy), E0)
    foil = rebin(counts.energy, np.where(glitches, np.nan, seen.reference), grid).mu
    found = align_series(grid, foil, E0)
    usable = np.isfinite(found.shift) & ~found.at_border
    energy = counts.energy + np.where(usable, found.shift, 0.0)[:, None]
    return grid, rebin(energy, mu, grid).mu, rebin(energy, i0, grid).mu


def spoil(counts, share):
    """Spoil some sweeps, each kind in turn; what was done to which."""
    spoilt = {}
    points = counts.i0.shape[1]
    chosen = counts.rng.permutation(len(counts.i0))[: int(share * len(counts.i0))]
    for number, sweep in enumerate(chosen):
        kind = spoilt[int(sweep)] = KINDS[number % len(KINDS)]
        begin = int(counts.rng.integers(100, points - 120))
        some = slice(begin, begin + 60)
        if kind == "bubble":
            counts.i1[sweep, some] *= 0.3
            counts.i2[sweep, some] *= 0.3
        elif kind == "thin":
            counts.i1[sweep] = counts.i0[sweep] * (counts.i1[sweep] / counts.i0[sweep]) ** 0.85
        for channel in (counts.i0, counts.i1, counts.i2):
            if kind == "dump":
                channel[sweep, begin:] *= 1e-3
            elif kind == "shutter":
                channel[sweep] = 0.0
            elif kind == "refill":
                channel[sweep, some] *= 0.7
    return spoilt


@pytest.mark.parametrize("seed", [0, 1])
def test_every_bad_sweep_is_found_and_hardly_a_good_one_lost(seed):
    counts = quick_series(300, seed)
    spoilt = spoil(counts, 0.07)
    grid, mu, i0 = reduce(counts)
    found = find_outliers(grid, mu, E0, i0)
    bad = {each.sweep for each in found.bad}
    assert set(spoilt) <= bad, {sweep: spoilt[sweep] for sweep in set(spoilt) - bad}
    assert len(bad - set(spoilt)) <= 0.01 * (300 - len(spoilt))
    codes = {spoilt[each.sweep]: each.codes for each in found.bad if each.sweep in spoilt}
    assert "no_beam" in codes["shutter"]
    assert "i0_dip" in codes["refill"]
    assert "edge_step" in codes["thin"]
    assert "distance" in codes["bubble"]


def test_a_series_without_faults_or_alignment_is_kept():
    counts = quick_series(200, 3)
    i0, i1, _ = counts.detect()
    mu = absorption(RawSpectra(energy=counts.energy, i0=i0, i1=i1), "transmission").mu
    grid = three_region_grid(*common_range(counts.energy), E0)
    found = find_outliers(grid, rebin(counts.energy, mu, grid).mu, E0)
    assert found.good.mean() >= 0.99


def phases(sweeps, sigma=2e-3):
    """Sweeps between two phases, given which share is the second."""
    first, second = absorption_of(GRID), absorption_of(GRID, e0=E0 + 4, white_line=0.8)
    share = np.asarray(sweeps)[:, None]
    mu = (1 - share) * first + share * second
    return mu + sigma * np.random.default_rng(4).normal(size=mu.shape)


@pytest.mark.parametrize("moment", [3, 60, 97])
def test_a_sudden_change_of_phase_is_no_outlier(moment):
    found = find_outliers(GRID, phases(np.arange(100) >= moment), E0)
    assert found.good.all(), [each.sentence for each in found.bad]


def test_a_short_visit_to_another_phase_is_no_outlier():
    visit = (np.arange(100) >= 40) & (np.arange(100) < 44)
    assert find_outliers(GRID, phases(visit), E0).good.all()


def reaction(count):
    """Three phases turn into one another within a few sweeps, and the sample thins."""
    progress = np.linspace(0, 1, count)
    first, last = np.exp(-6 * progress), 1 - np.exp(-3 * progress) * (1 + 3 * progress)
    share = np.stack([first, 1 - first - last, last], axis=1)
    curves = [
        absorption_of(GRID, e0=E0 + shift, white_line=w) for shift, w in ((6, 1), (3, 0.6), (0, 0))
    ]
    mu = (1 - 0.25 * progress)[:, None] * (share @ np.stack(curves))
    return mu + 1e-3 * np.random.default_rng(5).normal(size=mu.shape)


@pytest.mark.parametrize("count", [6, 12, 24, 60])
def test_the_first_sweep_of_a_fast_reaction_is_no_outlier(count):
    found = find_outliers(GRID, reaction(count), E0)
    assert found.good.all(), [each.sentence for each in found.bad]


@pytest.mark.parametrize("sweep", [0, 11])
def test_a_bad_sweep_at_the_end_of_a_fast_reaction_is_one(sweep):
    mu = reaction(12)
    mu[sweep, 150:180] += 0.3
    assert np.flatnonzero(~find_outliers(GRID, mu, E0).good).tolist() == [sweep]


def test_one_sweep_of_another_phase_is_an_outlier():
    found = find_outliers(GRID, phases(np.arange(100) == 40), E0)
    assert np.flatnonzero(~found.good).tolist() == [40]
    assert found.bad[0].codes == ("distance",)
    assert found.bad[0].sentence.startswith("Sweep 40 is left out: it deviates")


def test_points_without_value():
    mu = phases(np.zeros(30))
    mu[4, 50:90] = np.nan
    mu[5, 50] = np.nan
    mu[6] = np.nan
    found = find_outliers(GRID, mu, E0)
    assert [each.sweep for each in found.bad] == [4, 6]
    assert "missing" in found.bad[0].codes
    assert "100% of its points" in found.bad[1].sentence


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_few_sweeps_cannot_outvote_one(count):
    mu = phases(np.zeros(count))
    mu[0] *= 3
    assert find_outliers(GRID, mu, E0).good.all()


@pytest.mark.parametrize("count", [6, 12, 20])
def test_a_short_series(count):
    mu = phases(np.zeros(count))
    mu[2, 150:180] += 0.4
    assert np.flatnonzero(~find_outliers(GRID, mu, E0).good).tolist() == [2]


def test_a_scan_of_the_edge_alone():
    edge = (GRID > 7095) & (GRID < 7160)
    mu = phases(np.linspace(0, 1, 80))[:, edge]
    mu[33, 60:80] += 0.3
    found = find_outliers(GRID[edge], mu, E0)
    assert np.flatnonzero(~found.good).tolist() == [33]


def test_running_median():
    values = np.arange(50.0)
    values[20] = 1e6
    values[30] = np.nan
    assert np.abs(running_median(values, 5) - np.arange(50))[2:-2].max() <= 1
    assert running_median(np.array([1.0, 2.0]), 31).shape == (2,)


def test_the_running_median_follows_a_trend_to_its_ends():
    values = np.arange(40.0)
    values[0] = values[38] = 1e6
    off = running_median(values) - np.arange(40)
    assert np.abs(off).max() <= 2


def test_the_reference_is_portable():
    args, _ = sweep_distance.cases["noise_and_a_bump"]()
    reference = sweep_distance.implementations["reference"].function
    expected = reference(*args)
    strict = reference(*[array_api_strict.asarray(each) for each in args])
    assert np.allclose(np.asarray(strict), expected)
    assert expected[1].argmax() == 3
    assert expected[1, 3] > 3 * expected[1, 5]
