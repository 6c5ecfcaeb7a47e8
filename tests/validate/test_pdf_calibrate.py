"""Geometry from the rings of a calibrant: a real image from random starts, and simulated ones."""

import time

import fabio
import numpy as np
import pytest

from tasks.pdf.calibrants import d_spacings
from tasks.pdf.calibrate import calibrate
from tasks.pdf.geometry import Geometry, pyfai_geometry, read_poni
from tests.unit.tasks.pdf.ring_images import Truth, angles, image_of, lines
from tests.validate.chain import real_data

WAVELENGTH = 0.4066  # A
PIXEL = (172e-6, 172e-6)


@pytest.fixture(scope="module")
def real():
    image = fabio.open(real_data("pdf/dioptas_ceo2/CeO2_Pilatus1M.tif")).data[::-1]
    return image, read_poni(real_data("pdf/dioptas_ceo2/CeO2_Pilatus1M.poni"))


def two_theta(geometry, shape):
    instrument = pyfai_geometry(geometry)
    return np.asarray(instrument.center_array(shape, "2th_rad", scale=False))


def q_of(angle, wavelength):
    return 4 * np.pi / wavelength * np.sin(angle / 2)


def right(geometry, reference, shape):
    """q within 0.003 1/A of the reference's all over the detector, and so the geometry."""
    off = np.abs(
        q_of(two_theta(geometry, shape), WAVELENGTH) - q_of(two_theta(reference, shape), WAVELENGTH)
    )
    return off.max() < 0.003 and abs(geometry.distance - reference.distance) < 1e-4


def rings_off(image, geometry):
    """how far (1/A) the peaks of the pattern lie from the rings of CeO2."""
    q = q_of(two_theta(geometry, image.shape), WAVELENGTH)
    step = 0.002
    bins = (q / step).astype(int)
    good = (image >= 0) & (image < 1e5)
    number = np.bincount(bins[good], minlength=bins.max() + 1)
    mean = np.bincount(bins[good], image[good], minlength=bins.max() + 1) / np.maximum(number, 1)
    off = []
    for d in d_spacings("CeO2")[:9]:
        centre = 2 * np.pi / d
        near = np.arange(int((centre - 0.03) / step), int((centre + 0.03) / step) + 1)
        above = mean[near] - np.median(mean[near])
        above[above < 0.3 * above.max()] = 0
        off.append(((near + 0.5) * step * above).sum() / above.sum() - centre)
    return np.array(off)


def test_the_real_image_without_a_start(real):
    image, reference = real
    start = time.process_time()
    calibration = calibrate(image, "CeO2", PIXEL, wavelength=WAVELENGTH)
    print(f"\n{calibration.reason} {time.process_time() - start:.1f} s of processor")
    assert calibration.accepted, calibration.reason
    assert right(calibration.trusted(), reference, image.shape)
    assert np.abs(rings_off(image, calibration.trusted())).max() < 0.003
    assert len(calibration.rings) >= 12


def test_the_real_image_from_twenty_starts(real):
    image, reference = real
    rng = np.random.default_rng(2013)
    found = wrong = 0
    for _ in range(20):
        shift = rng.uniform(-6e-3, 6e-3, 3)
        turn = np.deg2rad(rng.uniform(-1, 1, 2))
        start = Geometry(
            reference.distance + shift[0],
            reference.poni1 + shift[1],
            reference.poni2 + shift[2],
            reference.rot1 + turn[0],
            reference.rot2 + turn[1],
            0.0,
            *PIXEL,
            WAVELENGTH,
        )
        calibration = calibrate(image, "CeO2", PIXEL, wavelength=WAVELENGTH, start=start)
        if calibration.accepted:
            good = right(calibration.trusted(), reference, image.shape)
            found, wrong = found + good, wrong + (not good)
    print(f"\n{found} of 20 starts found, {wrong} wrong")
    assert found >= 18 and wrong == 0


@pytest.mark.parametrize("named", ["LaB6", "Si", "Ni", "alpha_Al2O3"])
def test_the_real_image_is_refused_under_another_name(real, named):
    calibration = calibrate(real[0], named, PIXEL, wavelength=WAVELENGTH)
    print(f"\n{named}: {calibration.reason}")
    assert not calibration.accepted


def test_the_real_image_is_refused_at_another_wavelength(real):
    calibration = calibrate(real[0], "CeO2", PIXEL, wavelength=0.42)
    assert not calibration.accepted and "wavelength" in calibration.reason
    assert "0.40" in calibration.reason or "another" in calibration.reason


def drawn(seed):
    """a detector of a million pixels somewhere between 0.1 and 1 m, upright or not."""
    rng = np.random.default_rng(seed)
    tilt, azimuth = np.deg2rad(rng.choice([0, 1, 3, 10, 20]) * rng.random()), rng.random() * 7
    outside = [(rng.uniform(-0.2, 0), rng.uniform(0.2, 0.8)), (rng.uniform(0.2, 0.8), 1.15)]
    inside = tuple(rng.uniform(0.2, 0.8, 2))
    return Truth(
        distance=float(np.exp(rng.uniform(np.log(0.1), 0.0))),
        beam=outside[rng.integers(2)] if rng.random() < 0.2 else inside,
        rot1=float(tilt * np.cos(azimuth)),
        rot2=float(tilt * np.sin(azimuth)),
        calibrant=str(rng.choice(["CeO2", "LaB6", "Si", "Ni"])),
        wavelength=float(rng.choice([0.16, 0.2, 0.3, 0.41, 0.5])),
        shape=(1000, 1000),
        width=float(rng.uniform(0.8, 2.2)),
        peak=float(np.exp(rng.uniform(np.log(60), np.log(3000)))),
        background=float(np.exp(rng.uniform(np.log(3), np.log(200)))),
        spots=float(rng.choice([0, 0, 0.5, 0.9])),
        stop=float(rng.choice([0, 3e-3])),
        gaps=bool(rng.random() < 0.4),
        seed=seed,
    )


def clear_rings(truth):
    """how many rings stand apart, are 300 pixels long and as high as the noise of a pixel."""
    angle = angles(truth)[0]
    spacings, strength = lines(
        truth.calibrant, truth.wavelength, q_of(angle.max(), truth.wavelength)
    )
    rings = 2 * np.arcsin(truth.wavelength / 2 / spacings)
    pixel = truth.pixel * np.cos(rings) ** 2 / truth.distance
    gaps = np.diff(rings, prepend=-1, append=9)
    apart = np.minimum(gaps[:-1], gaps[1:]) / pixel > max(10, 6 * truth.width)
    long = np.array(
        [(np.abs(angle - a) < p / 2).sum() >= 300 for a, p in zip(rings, pixel, strict=True)]
    )
    high = truth.peak * strength > np.sqrt(truth.background)
    return int((apart & long & high).sum())


def test_simulated_images_without_a_start():
    counts = {"found": 0, "refused": 0, "wrong": 0, "beyond": 0}
    seconds = []
    for seed in range(1000, 1060):
        truth = drawn(seed)
        solvable = clear_rings(truth) >= 6
        image, mask = image_of(truth)
        began = time.process_time()
        calibration = calibrate(
            image,
            truth.calibrant,
            (truth.pixel, truth.pixel),
            wavelength=truth.wavelength,
            mask=mask,
        )
        seconds.append(time.process_time() - began)
        if calibration.accepted:
            off = np.abs(two_theta(calibration.trusted(), truth.shape) - angles(truth)[0])
            wrong = off.max() * truth.distance / truth.pixel > 2
            counts["wrong" if wrong else "found"] += 1
            outcome = "wrong" if wrong else "found"
        else:
            outcome = "refused" if solvable else "beyond"
            counts[outcome] += 1
        if outcome in ("wrong", "refused"):
            print(f"\n{outcome} {seed}: {truth}: {calibration.reason}", flush=True)
    print(f"\n{counts}, {np.median(seconds):.1f} s in the middle, {max(seconds):.1f} s at most")
    assert counts["wrong"] == 0
    assert counts["refused"] <= 0.05 * (counts["found"] + counts["refused"])
    assert np.median(seconds) < 10
