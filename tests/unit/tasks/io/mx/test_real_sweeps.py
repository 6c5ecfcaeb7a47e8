"""L-cysteine on a multi-axis goniometer at Diamond's I19, beside what DIALS read and refined."""

import numpy as np
import pytest

from tasks.io.dials import DialsFlag, read_experiments, read_reflections
from tasks.io.diffraction import ScanReference, open_images
from tasks.io.probe import probe
from tasks.mx.geometry import beam_centre, scan_axis

SWEEPS = {"l-cyst_04": 0, "l-cyst_01": 1}
"""Titles of the sweeps that DIALS' list holds, and where."""


def angle(one, other):
    """Return the angle between two directions in degrees."""
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@pytest.fixture(params=SWEEPS)
def pair(request, real):
    folder = real("l_cysteine")
    reference = ScanReference(str(folder), f"{request.param}_#####.cbf.gz", "cbf_series")
    listed = read_experiments(real("l_cysteine_reference/scaled_20_25.expt"))
    with open_images(reference) as images:
        yield images, listed[SWEEPS[request.param]].geometry


def test_four_sweeps_stand_in_the_folder(real):
    found = probe(real("l_cysteine"), technique="mx")
    assert [each.metadata["title"] for each in found] == [f"l-cyst_0{n}" for n in (1, 2, 3, 4)]
    assert [each.present_frames for each in found] == [15] * 4
    assert [each.metadata["scan_axis"] for each in found] == ["omega"] * 3 + ["phi"]
    assert {each.metadata.get("two_theta_deg") for each in found} == {30.0, None}
    assert len({each.started_at for each in found}) == 4
    assert not any(each.problem for each in found)


def test_the_geometry_is_dials_within_what_refinement_moved(pair):
    images, refined = pair
    read = images.geometry
    assert images.warnings == ()
    assert read.beam.wavelength == pytest.approx(refined.beam.wavelength)
    assert angle(read.beam.direction, refined.beam.direction) < 0.3
    assert angle(read.detector.fast, refined.detector.fast) < 1.0
    assert angle(read.detector.slow, refined.detector.slow) < 1.0
    assert angle(read.detector.normal, refined.detector.normal) < 0.5
    assert np.linalg.norm(read.detector.origin - refined.detector.origin) < 3.0
    assert np.subtract(beam_centre(read), beam_centre(refined)) == pytest.approx((0, 0), abs=7)
    assert read.detector.shape == refined.detector.shape
    assert read.detector.pixel == refined.detector.pixel
    assert read.detector.thickness == refined.detector.thickness
    # DIALS has its coefficients from other tables
    assert read.detector.absorption == pytest.approx(refined.detector.absorption, rel=0.005)
    assert angle(scan_axis(read.goniometer), scan_axis(refined.goniometer)) < 0.01
    assert read.rotation.start_deg == refined.rotation.start_deg
    assert read.rotation.width_deg == pytest.approx(refined.rotation.width_deg)


def test_images_hold_counts_and_gaps(pair):
    images, _ = pair
    assert images.saturation == 388705
    read = images.read(slice(0, 2))
    assert read.shape == (2, 1679, 1475)
    assert images.mask[195:212].all()
    assert images.mask[:, 487:494].all()
    share = np.mean(images.mask)
    gaps = 1 - 24 * 195 * 487 / 1679 / 1475
    assert gaps < share < gaps + 0.001
    np.testing.assert_array_equal(read[0] < 0, images.mask)
    assert read.max() > 100


def test_spots_of_dials_are_where_our_images_are_bright(pair, real):
    """Strong reflections of the whole sweep that lie on our fifteen images stand out of them."""
    images, _ = pair
    table = read_reflections(real("l_cysteine_reference/scaled_20_25.refl"))
    xyz = table["xyzobs.px.value"]
    is_strong = (table["flags"] & DialsFlag.STRONG) != 0
    number = SWEEPS[images.facts.title]
    chosen = (table["id"] == number) & is_strong & (xyz[:, 2] < 14) & (xyz[:, 2] > 1)
    assert chosen.sum() >= 10
    read = images.read()
    at = np.floor(xyz[chosen]).astype(int)
    beside = at + np.array([9, 9, 0])
    peaks, others = (
        np.array([read[z - 1 : z + 2, y - 3 : y + 4, x - 3 : x + 4].max() for x, y, z in places])
        for places in (at, beside)
    )
    assert np.mean(peaks > others) > 0.95
