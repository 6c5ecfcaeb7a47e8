"""Integration against sweeps of which every photon is known."""

from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.integrate import combined, to_observations
from tasks.mx.integrate_block import integrate_block
from tasks.mx.mosaicity import Mosaicity, first_guess, margin, reflecting_range
from tasks.mx.profile import ProfileModel, join_profiles, learn_profiles
from tasks.mx.reflections import Flag, Reflections, Spots
from tests.unit.tasks.mx.photons import Sweep, gauss, lopsided, sweep

D_MIN, BLOCKS = 3.6, ((0, 20), (20, 40), (40, 60))
FULL = 1e6
UNUSABLE = Flag.OVERLOADED | Flag.NO_PROFILE | Flag.NO_BACKGROUND


def model_of(made: Sweep, saturation=FULL) -> ProfileModel:
    given = made.geometry, made.crystal
    start = Mosaicity(1.5 * made.sigma_b_deg, 1.5 * made.sigma_m_deg)
    widths = reflecting_range(made.images[:30], 0, *given, start, made.mask, saturation, D_MIN)
    widths = Mosaicity.join([widths])
    parts = [
        learn_profiles(made.images[a:b], a, *given, widths, made.mask, saturation, D_MIN, (a, b))
        for a, b in BLOCKS
    ]
    return join_profiles(parts, made.geometry)


def integrated(made: Sweep, model, saturation=FULL, blocks=BLOCKS) -> Reflections:
    reach, end = margin(model.mosaicity, made.geometry), len(made.images)
    parts = []
    for a, b in blocks:
        first = max(0, a - reach)
        images = iter(made.images[first : min(end, b + reach)])
        given = made.geometry, made.crystal, model, made.mask, saturation
        parts.append(integrate_block(images, first, *given, block=(a, b)))
    return Reflections.join(parts)


@dataclass
class Reduced:
    made: Sweep
    model: ProfileModel
    reflections: Reflections
    expected: np.ndarray


@cache
def reduced(**given) -> Reduced:
    made = sweep(**given)
    model = model_of(made)
    found = integrated(made, model)
    return Reduced(made, model, found, made.expected[rows_of(made, found)])


def rows_of(made, found):
    key = {}
    for row, (hkl, z) in enumerate(zip(made.hkl, made.xyz[:, 2], strict=True)):
        key.setdefault(tuple(hkl), []).append((z, row))
    return np.array(
        [
            min(key[tuple(hkl)], key=lambda each: abs(each[0] - z))[1]
            for hkl, z in zip(found.hkl, found.xyz[:, 2], strict=True)
        ]
    )


def check(off, by, limits, said, mean=0.1, width=(0.85, 1.2), fewest=150):
    for low, high in pairwise(limits):
        here = (by >= low) & (by < high)
        if here.sum() >= fewest:
            noise = 1 / np.sqrt(here.sum())
            text = f"{said} {low:.3g} to {high:.3g}: {off[here].mean():+.3f}, {off[here].std():.3f}"
            print(text)
            assert abs(off[here].mean()) < mean + 2 * noise, text
            assert width[0] < off[here].std() < width[1], text


CASES = {
    "gaussian": {"profile": gauss},
    "not Gaussian, ice": {"profile": lopsided, "ice": 8.0, "seed": 1},
    "one count": {"background": 1.0, "mean": 60.0, "seed": 2},
}


@pytest.mark.parametrize("case", list(CASES))
def test_intensities_are_as_near_as_their_sigmas_say(case):
    done = reduced(**CASES[case])
    found = done.reflections
    kept = ~found.has(UNUSABLE) & (found.partiality > 0.9)
    for name in ("fitted", "summed"):
        if name == "summed":
            kept &= ~found.has(Flag.INCOMPLETE | Flag.NEIGHBOUR)
        value, sigma = getattr(found, name), getattr(found, name + "_sigma")
        off = ((value - done.expected * found.partiality) / sigma)[kept]
        expected, d = done.expected[kept], found.d[kept]
        usual = np.abs(off) < 6
        assert usual.mean() > 0.998
        for by, limits in (
            (expected, (0, 10, 30, 100, 300, 1000, 1e5)),
            (d, np.quantile(d, np.linspace(0, 1, 5))),
        ):
            check(off[usual], by[usual], limits, f"{case}, {name}", mean=0.15)


def test_fitting_is_better_than_summing_where_it_is_weak():
    done = reduced(**CASES["one count"])
    found = done.reflections
    kept = ~found.has(UNUSABLE | Flag.INCOMPLETE) & (found.partiality > 0.99)
    kept &= done.expected < 100
    off = found.take(kept).fitted - done.expected[kept]
    summed = found.take(kept).summed - done.expected[kept]
    assert off.std() < 0.75 * summed.std()


def test_widths_are_those_of_the_photons():
    found = reduced(**CASES["gaussian"]).model.mosaicity
    pixel = np.degrees(0.172 / 150) / np.sqrt(12)
    assert found.sigma_b_deg == pytest.approx(np.hypot(0.05, pixel), rel=0.06)
    assert found.sigma_m_deg == pytest.approx(0.15, rel=0.1)


def test_profiles_know_where_the_photons_are():
    done = reduced(**CASES["not Gaussian, ice"])
    table = done.model.tables.mean(axis=0)
    reach = done.model.mosaicity.reach
    e1 = np.linspace(-reach, reach, table.shape[2]) * done.model.mosaicity.sigma_b_deg / 0.05
    photons = lopsided(np.random.default_rng(0), 100_000)
    face = table.sum(axis=(0, 1))
    assert (face * e1).sum() == pytest.approx(photons[:, 0].mean(), abs=0.06)
    pixel = np.degrees(0.172 / 150) / np.sqrt(12) / 0.05
    moment = (face * e1**2).sum() - (face * e1).sum() ** 2
    assert moment == pytest.approx(photons[:, 0].var() + pixel**2, rel=0.1)


def test_every_reflection_belongs_to_one_block_and_looks_the_same_there():
    done = reduced(**CASES["gaussian"])
    whole = integrated(done.made, done.model, blocks=((0, 60),))
    assert len(whole) == len(done.reflections)
    order = np.lexsort(np.c_[whole.xyz[:, 2], whole.hkl].T)
    other = np.lexsort(np.c_[done.reflections.xyz[:, 2], done.reflections.hkl].T)
    for name in ("hkl", "fitted", "summed", "fitted_sigma", "flags"):
        np.testing.assert_allclose(
            getattr(whole, name)[order], getattr(done.reflections, name)[other], rtol=1e-6
        )


def test_what_the_ends_cut_off_is_in_the_partiality():
    done = reduced(**CASES["gaussian"])
    found = done.reflections
    cut = found.has(Flag.PARTIAL) & ~found.has(UNUSABLE) & (found.partiality < 0.9)
    cut &= found.partiality > 0.5
    ratio = found.fitted[cut].sum() / done.expected[cut].sum()
    assert cut.sum() > 30
    assert ratio == pytest.approx(found.partiality[cut].mean(), abs=0.06)
    inner = (found.xyz[:, 2] > 15) & (found.xyz[:, 2] < 45) & (np.abs(done.made.zeta[0]) > 0)
    assert not found.has(Flag.PARTIAL)[inner].any()


def test_overloads_gaps_and_lost_images_are_told():
    done = reduced(**CASES["gaussian"])
    made, before = done.made, done.reflections
    images = made.images.copy()
    images[25] = -1
    found = integrated(replace(made, images=images), done.model, saturation=400.0)
    z = found.xyz[:, 2]
    on_lost = (np.floor(z) == 25) & (z % 1 > 0.2) & (z % 1 < 0.8)
    assert found.has(Flag.INCOMPLETE)[on_lost].all()
    peaks = np.array([round_peak(made, row) for row in found.xyz])
    full = found.has(Flag.OVERLOADED)
    assert full.sum() > 10
    assert full[(peaks > 400) & ~on_lost & (np.abs(z - 25) > 2)].all()
    assert not full[peaks < 100].any() or full[peaks < 100].mean() < 0.01
    in_gap = made.mask[found.xyz[:, 1].astype(int), found.xyz[:, 0].astype(int)]
    assert before.has(Flag.INCOMPLETE)[in_gap].all()
    assert before.has(Flag.NO_PROFILE)[in_gap].mean() > 0.4
    kept = to_observations(found, made.geometry)
    assert not (kept.flags & int(UNUSABLE)).any()


def round_peak(made, xyz):
    x, y, z = np.floor(xyz).astype(int)
    near = made.images[max(z, 0) : z + 1, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
    return near.max()


def test_observations_are_corrected_and_finite():
    done = reduced(**CASES["gaussian"])
    found = done.reflections
    kept = to_observations(found, done.made.geometry)
    assert 0.9 < len(kept) / len(found) < 1
    assert np.isfinite(kept.intensity).all()
    assert (kept.sigma > 0).all()
    np.testing.assert_allclose(np.linalg.norm(kept.s1, axis=1), 1, rtol=1e-9)
    usable = found.take(~found.has(UNUSABLE) & (found.partiality >= 0.75))
    intensity, _ = combined(usable)
    np.testing.assert_allclose(kept.intensity, intensity * usable.correction / usable.partiality)
    strong = (usable.fitted > 200 * usable.fitted_sigma) & (
        (usable.flags & int(Flag.INCOMPLETE | Flag.NEIGHBOUR)) == 0
    )
    np.testing.assert_allclose(intensity[strong], usable.summed[strong], rtol=2e-3)


def test_observed_centroids_are_near_the_predicted_ones():
    done = reduced(**CASES["gaussian"])
    off = done.reflections.observed - done.reflections.xyz
    strong = np.isfinite(off).all(axis=1) & (done.expected > 1000) & (done.reflections.flags == 0)
    assert strong.sum() > 100
    assert np.abs(np.median(off[strong], axis=0)).max() < 0.03
    assert off[strong].std(axis=0).max() < 0.3


def test_a_crystal_that_is_not_there_is_told():
    made = reduced(**CASES["gaussian"]).made
    wrong = replace(made.crystal, a_matrix=made.crystal.a_matrix[:, [1, 0, 2]] * 1.037)
    start = Mosaicity(made.sigma_b_deg, made.sigma_m_deg)
    given = made.geometry, wrong, start, made.mask, FULL, 8.0
    found = reflecting_range(made.images[:4], 0, *given)
    assert found.reflections == 0
    with pytest.raises(DataError, match="no strong reflections"):
        Mosaicity.join([found])


def test_first_guess_is_right_to_a_factor_of_two():
    made = reduced(**CASES["gaussian"]).made
    n = 50
    pixels = np.full(n, round(np.pi * 1.6**2 * 3), np.int32)  # to 2 sigma, on 3 images
    images = np.tile(np.array([10, 12], np.int32), (n, 1))
    three = np.ones((n, 3))
    guess = first_guess(Spots(three, three, np.ones(n), pixels, images), made.geometry)
    assert 0.5 < guess.sigma_b_deg / made.sigma_b_deg < 2
    assert 0.5 < guess.sigma_m_deg / made.sigma_m_deg < 2


def test_reflections_in_the_beam_stop_are_left_out():
    done = reduced(**CASES["gaussian"])
    given = done.made.geometry, done.made.crystal, done.model, done.made.mask, FULL
    found = integrate_block(done.made.images, 0, *given, block=(0, 60), d_max=8.0)
    whole = integrate_block(done.made.images, 0, *given, block=(0, 60))
    assert len(found)
    assert found.d.max() < 8.0
    assert len(whole) > len(found)
