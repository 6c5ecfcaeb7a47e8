"""Azimuthal integration: pyFAI's values, batches, pixels that are not valid, uncertainties."""

import numpy as np
import pytest

from tasks.algorithm import Engine
from tasks.errors import DataError
from tasks.pdf.geometry import Geometry, arrays, pyfai_geometry
from tasks.pdf.integrate import BinMap, SplitMatrix, integrate, make_integrator
from tasks.pdf.response import Dark, Sensor, oblique_yield
from tasks.resources import Resources

SHAPE, BINS = (300, 260), 250
GEOMETRY = Geometry(0.1, 0.013, 0.016, 0.05, -0.08, 0.3, 1e-4, 1e-4, 0.2)
RNG = np.random.default_rng(5)
MASK = RNG.random(SHAPE) < 0.03
DARK = RNG.uniform(10, 20, SHAPE)
FLAT = RNG.uniform(0.8, 1.2, SHAPE)
UNITS = {"q": "q_A^-1", "tth": "2th_rad"}


def peer(geometry=GEOMETRY):
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    return AzimuthalIntegrator(
        *(geometry.distance, geometry.poni1, geometry.poni2),
        *(geometry.rot1, geometry.rot2, geometry.rot3),
        detector=pyfai_geometry(geometry, SHAPE).detector,
        wavelength=geometry.wavelength * 1e-10,
    )


def pyfai(image, splitting, unit="q", geometry=GEOMETRY, engine="cython", **options):
    method = ({"none": "no"}.get(splitting, splitting), "csr", engine)
    found = peer(geometry).integrate1d_ng(
        image, BINS, mask=MASK.astype(np.int8), unit=UNITS[unit], method=method, **options
    )
    half = (found.radial[-1] - found.radial[0]) / (BINS - 1) / 2
    first = found.radial[0] - half * (1 + 1e-9)  # the pixel at the very edge is in
    return found, (first, found.radial[-1] + half)


def image_of(level=1000, seed=0):
    """Counts that fall with the distance from the middle, on a dark."""
    y, x = np.indices(SHAPE) - np.array([150, 130])[:, None, None]
    expected = level * np.exp(-(x**2 + y**2) / 2e4) + 5
    return np.random.default_rng(seed).poisson(expected + DARK).astype(np.int32)


CORRECTIONS = {
    "nothing": ({}, {"polarisation": None}),
    "polarisation": ({"polarization_factor": 0.95}, {"polarisation": 0.95}),
    "dark and flat": (
        {"dark": DARK, "flat": FLAT},
        {"polarisation": None, "dark": DARK, "flat": FLAT},
    ),
    "all": (
        {"polarization_factor": 0.99, "dark": DARK, "flat": FLAT},
        {"polarisation": 0.99, "dark": DARK, "flat": FLAT},
    ),
}


@pytest.mark.parametrize("splitting", ["none", "bbox"])
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", CORRECTIONS)
def test_values_are_those_of_pyfai(name, unit, splitting):
    theirs, ours = CORRECTIONS[name]
    image = image_of()
    expected, limits = pyfai(image, splitting, unit, **theirs)
    made = make_integrator(
        GEOMETRY, MASK, BINS, unit=unit, limits=limits, splitting=splitting, **ours
    )
    found = integrate(made, image)
    axis = found.q if unit == "q" else found.tth
    np.testing.assert_allclose(axis, expected.radial, rtol=1e-9)
    np.testing.assert_allclose(found.counts[0], expected.count, atol=1e-3)
    with_pixels = expected.count > 0
    np.testing.assert_allclose(
        found.intensity[0][with_pixels], expected.intensity[with_pixels], rtol=1e-5
    )
    np.testing.assert_array_equal(np.isfinite(found.intensity[0]), with_pixels)


def test_a_turned_image_gives_the_same_pattern():
    image = image_of()
    turned = make_integrator(GEOMETRY.oriented(2), MASK[::-1], BINS)
    np.testing.assert_allclose(
        integrate(turned, image[::-1]).intensity,
        integrate(make_integrator(GEOMETRY, MASK, BINS), image).intensity,
        rtol=1e-6,
    )


def test_without_limits_the_axis_does_not_depend_on_the_mask():
    other = MASK | (np.indices(SHAPE)[0] > 100)
    made = [make_integrator(GEOMETRY, mask, BINS) for mask in (MASK, other)]
    np.testing.assert_array_equal(made[0].q, made[1].q)
    np.testing.assert_allclose(made[0].tth, 2 * np.arcsin(made[0].q * 0.2 / 4 / np.pi))
    missing = integrate(made[1], image_of())
    gone = np.isnan(missing.intensity[0])
    assert gone.any()
    np.testing.assert_array_equal(gone, missing.counts[0] == 0)


@pytest.mark.parametrize("splitting", ["none", "bbox"])
@pytest.mark.parametrize("cores", [1, 2])
def test_a_batch_is_its_frames_one_by_one_whatever_their_type(splitting, cores):
    frames = np.stack([image_of(seed=seed) for seed in range(3)])
    made = make_integrator(GEOMETRY, MASK, BINS, splitting=splitting, dark=DARK)
    with Engine(Resources(cores=cores)).active():
        single = [integrate(made, frame).intensity[0] for frame in frames]
        for kind in (np.uint16, np.int32, np.uint32, np.float32, np.float64, ">i4"):
            found = integrate(made, frames.astype(kind))
            np.testing.assert_allclose(found.intensity, single, rtol=1e-12)
            assert found.sigma.shape == found.counts.shape == (3, BINS)


@pytest.mark.parametrize("splitting", ["none", "bbox"])
def test_a_pixel_not_valid_in_a_frame_is_left_out_of_that_frame(splitting):
    frames = np.stack([image_of(), image_of(seed=1), image_of(seed=2)])
    bad = np.random.default_rng(3).random(SHAPE) < 0.05
    frames[1][bad] = -1
    options = {"splitting": splitting, "dark": DARK, "flat": FLAT}
    made = make_integrator(GEOMETRY, MASK, BINS, lowest=0, **options)
    for model in ("azimuthal", "poisson"):
        found = integrate(made, frames, model)
        masked = integrate(
            make_integrator(GEOMETRY, MASK | bad, BINS, **options), image_of(seed=1), model
        )
        for name in ("intensity", "counts"):
            one, other = getattr(found, name)[1], getattr(masked, name)[0]
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
        known = masked.counts[0] > 10  # in a small bin the dark of the pixels left out tells
        apart = found.sigma[1][known] / masked.sigma[0][known]
        np.testing.assert_allclose(apart, 1, rtol=1e-9 if model == "azimuthal" else 0.02)
    for value, highest in ((np.nan, None), (np.inf, None), (2.0**32 - 1, 2.0**31)):
        marked = frames.astype(np.float64)
        marked[1][bad] = value
        made = make_integrator(GEOMETRY, MASK, BINS, highest=highest, **options)
        np.testing.assert_allclose(
            integrate(made, marked).intensity, found.intensity, rtol=1e-9, equal_nan=True
        )


def test_the_azimuthal_uncertainty_is_its_formula_and_that_of_pyfai():
    image = image_of()
    expected, limits = pyfai(
        image, "none", engine="python", error_model="azimuthal", dark=DARK, polarization_factor=0.99
    )
    made = make_integrator(GEOMETRY, MASK, BINS, limits=limits, dark=DARK)
    found = integrate(made, image)
    where, weight = made.pixels.bin_of, made.weight.astype(float)
    value = (image - DARK.astype(np.float32)).ravel()
    mean = np.append(found.intensity[0], 0)[where]

    def total(each):
        return np.bincount(where, each, BINS + 1)[:-1]

    few = total(weight**2) / total(weight) ** 2
    variance = total((value - weight * mean) ** 2) / total(weight) ** 2
    flank = few * np.nan_to_num(np.gradient(found.intensity[0])) ** 2 / 12
    known = (found.counts[0] > 1) & (flank < 0.75 * variance)
    np.testing.assert_allclose(
        found.sigma[0][known], np.sqrt((variance - flank) / (1 - few))[known], rtol=1e-6
    )
    assert np.isnan(found.sigma[0][found.counts[0] == 1]).all()
    biased = np.sqrt(found.sigma[0] ** 2 * (1 - few) + flank)
    enough = known & (found.counts[0] > 5)
    np.testing.assert_allclose(biased[enough], expected.sigma[enough], rtol=1e-4)


def test_the_uncertainty_from_counts_is_that_of_pyfai():
    image = image_of()
    expected, limits = pyfai(image, "none", error_model="poisson", dark=DARK)
    made = make_integrator(GEOMETRY, MASK, BINS, limits=limits, polarisation=None, dark=DARK)
    found = integrate(made, image, "poisson")
    np.testing.assert_allclose(found.sigma[0], expected.sigma, rtol=1e-5)


def test_a_noisy_dark_adds_to_the_uncertainty_from_counts():
    plain = make_integrator(GEOMETRY, MASK, BINS, dark=Dark(DARK, DARK * 0))
    noisy = make_integrator(GEOMETRY, MASK, BINS, dark=Dark(DARK, DARK * 0 + 400))
    one, other = (integrate(made, image_of(), "poisson").sigma[0] for made in (plain, noisy))
    norm = plain.whole[0]
    np.testing.assert_allclose(other**2 - one**2, 400 * plain.whole[2] / norm**2, rtol=1e-4)


@pytest.mark.parametrize("splitting", ["none", "bbox"])
@pytest.mark.parametrize("model", ["azimuthal", "poisson"])
def test_the_stated_uncertainty_is_how_patterns_scatter(model, splitting):
    """Sums over 25 bins: neighbours share noise where pixels are split, and sums must hold."""
    made = make_integrator(GEOMETRY, MASK, BINS, splitting=splitting)
    expected = 200.0 * made.weight.reshape(SHAPE)
    frames = np.random.default_rng(6).poisson(expected, (60, *SHAPE)).astype(np.int32)
    found = integrate(made, frames, model)
    used = slice(25, 225)
    apart = (found.intensity - 200.0)[:, used].reshape(60, 8, 25).sum(axis=2)
    stated = np.sqrt((found.sigma[:, used] ** 2).reshape(60, 8, 25).sum(axis=2))
    assert (apart / stated).std() == pytest.approx(1, abs=0.08)


def test_few_pixels_do_not_make_the_uncertainty_small():
    mask = np.random.default_rng(8).random(SHAPE) > 0.01
    made = make_integrator(GEOMETRY, mask, BINS)
    expected = 200.0 * made.weight.reshape(SHAPE)
    frames = np.random.default_rng(7).poisson(expected, (300, *SHAPE)).astype(np.int32)
    found = integrate(made, frames)
    few = (made.whole[2] >= 2) & (made.whole[2] <= 4)
    assert few.sum() > 50
    ratio = (found.sigma[:, few] ** 2).mean() / found.intensity[:, few].var(axis=0).mean()
    assert ratio == pytest.approx(1, abs=0.05)


def test_an_even_scatterer_is_flat_after_all_corrections():
    sensor = Sensor("CdTe", 1e-3)
    made = make_integrator(GEOMETRY, MASK, BINS, dark=DARK, flat=FLAT, sensor=sensor)
    seen = arrays(GEOMETRY, SHAPE)
    light = seen.solid_angle * seen.polarisation(0.99) * FLAT
    light = 70 * light * oblique_yield(seen.path, sensor.transmission(0.2)) + DARK
    np.testing.assert_allclose(integrate(made, light).intensity, 70, rtol=1e-5)


def test_splitting_keeps_every_count_and_smooths():
    one, other = (make_integrator(GEOMETRY, MASK, 600, splitting=s) for s in ("none", "bbox"))
    assert isinstance(one.pixels, BinMap)
    assert isinstance(other.pixels, SplitMatrix)
    assert one.pixels.bin_of.dtype == other.pixels.first.dtype == np.uint16
    assert one.whole[2].sum() == (~MASK).sum()
    assert other.whole[2].sum() == pytest.approx((~MASK).sum(), rel=0.005)  # corners beyond
    assert other.whole[2][50:500].std() < one.whole[2][50:500].std()


def test_more_bins_than_a_short_integer_counts():
    made = make_integrator(GEOMETRY, MASK, 70_000)
    assert made.pixels.bin_of.dtype == np.int32
    assert integrate(made, image_of()).counts.sum() == (~MASK).sum()


def test_what_does_not_fit_is_refused():
    made = make_integrator(GEOMETRY, MASK, BINS)
    with pytest.raises(DataError, match=r"frames has 260 x 300 pixels where 300 x 260"):
        integrate(made, np.zeros((2, 260, 300)))
    with pytest.raises(DataError, match="dark has"):
        make_integrator(GEOMETRY, MASK, BINS, dark=DARK[1:])
    with pytest.raises(DataError, match="flat field has"):
        make_integrator(GEOMETRY, MASK, BINS, flat=FLAT[1:])
    with pytest.raises(DataError, match="limits that rise"):
        make_integrator(GEOMETRY, MASK, BINS, limits=(3.0, 2.0))
