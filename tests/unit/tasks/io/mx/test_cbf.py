"""Sweeps of CBF images: geometry, series, what is lost, what is damaged."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.diffraction import ScanReference, open_images
from tasks.io.fingerprint import fingerprint
from tasks.io.mx.cbf_reader import READER
from tasks.io.probe import probe
from tasks.mx.geometry import beam_centre, scan_axis, setting_rotation
from tests.unit.tasks.io.mx.cbf_files import (
    AXES,
    COLUMNS,
    COMMENTS,
    ROWS,
    START,
    WIDTH,
    picture,
    write_cbf,
)

TEMPLATE = "lyso_1_####.cbf"


@pytest.fixture
def sweep(tmp_path):
    """Write a sweep, of which some images may be left out."""

    def write(numbers=range(1, 6), template=TEMPLATE, **changes):
        for number in numbers:
            write_cbf(tmp_path / template.replace("####", f"{number:04d}"), number, **changes)
        return ScanReference(str(tmp_path), template)

    return write


def test_counts_come_as_they_were_written(sweep):
    with open_images(sweep(range(1, 4))) as images:
        assert images.shape == (3, ROWS, COLUMNS)
        read = images.read(slice(1, 3))
        assert read.dtype == np.int32
        for image, number in zip(read, (2, 3), strict=True):
            np.testing.assert_array_equal(image, np.maximum(picture(number), -1))
        assert images.saturation == 1048500
        assert images.mask[195:212].all()
        assert images.mask[10, 20]
        assert images.mask.sum() == 17 * COLUMNS + 1


def test_a_gzipped_sweep_is_the_same(sweep):
    plain, packed = sweep([1, 2]), sweep([1, 2], template="lyso_2_####.cbf.gz")
    with open_images(plain) as one, open_images(packed) as other:
        np.testing.assert_array_equal(one.read(), other.read())


def test_comments_alone_are_placed_by_convention(sweep):
    with open_images(sweep()) as images:
        geometry = images.geometry
    detector = geometry.detector
    np.testing.assert_allclose(detector.origin, (-240 * 0.172, 200 * 0.172, -200))
    np.testing.assert_allclose((detector.fast, detector.slow), ((1, 0, 0), (0, -1, 0)))
    assert beam_centre(geometry) == pytest.approx((240, 200), abs=1e-6)
    np.testing.assert_allclose(geometry.beam.direction, (0, 0, -1))
    np.testing.assert_allclose(scan_axis(geometry.goniometer), (1, 0, 0))
    assert (geometry.rotation.start_deg, geometry.rotation.width_deg) == (START, WIDTH)
    assert (detector.thickness, detector.material) == (0.45, "Si")
    # silicon at 12.66 keV: NIST's tables give 40 /cm
    assert detector.absorption == pytest.approx(3.96, rel=0.02)
    assert images.warnings == ()


def test_axes_of_imgcif_are_chained(sweep):
    with open_images(sweep(axes=AXES, two_theta=25.0)) as images:
        geometry = images.geometry
    goniometer, detector = geometry.goniometer, geometry.detector
    assert goniometer.names == ("phi", "kappa", "omega")
    assert goniometer.scan_axis == 2
    np.testing.assert_allclose(goniometer.angles_deg, (70, 40, START))
    np.testing.assert_allclose(np.linalg.norm(goniometer.axes, axis=1), 1)
    np.testing.assert_allclose(setting_rotation(goniometer), np.eye(3))
    sine, cosine = np.sin(np.radians(25)), np.cos(np.radians(25))
    np.testing.assert_allclose(detector.fast, (1, 0, 0))
    np.testing.assert_allclose(detector.slow, (0, -cosine, -sine))
    corner = (-41.28, 34.4 * cosine + 200 * sine, 34.4 * sine - 200 * cosine)
    np.testing.assert_allclose(detector.origin, corner)
    assert detector.distance == pytest.approx(200)


def test_axes_and_comments_agree_where_both_tell(sweep):
    with open_images(sweep()) as plain:
        one = plain.geometry
    with open_images(sweep(axes=AXES, template="lyso_2_####.cbf")) as full:
        other = full.geometry
    np.testing.assert_allclose(one.detector.origin, other.detector.origin)
    np.testing.assert_allclose(one.detector.slow, other.detector.slow)
    assert one.rotation == other.rotation


def test_the_angle_of_the_image_counts_before_that_of_the_scan(sweep):
    scan = AXES.replace("SCAN1 GON_OMEGA {start:.4f}", "SCAN1 GON_OMEGA -99.0")
    frame = """loop_
_diffrn_scan_frame_axis.frame_id
_diffrn_scan_frame_axis.axis_id
_diffrn_scan_frame_axis.angle
FRAME1 GON_OMEGA {start:.4f}
FRAME1 GON_KAPPA 41.0
"""
    for number, axes in enumerate((scan, scan + frame)):
        reference = sweep([4, 5], template=f"lyso_{number}_####.cbf", axes=axes)
        with open_images(reference) as images:
            assert images.geometry.rotation.start_deg == START + 3 * WIDTH
            assert images.geometry.goniometer.angles_deg[1] == 40 + number
            assert images.warnings == ()


def test_several_elements_are_refused(sweep):
    reference = sweep(axes=AXES.replace("ARRAY1 2", "ARRAY2 2"))
    with pytest.raises(DataError, match="several elements"):
        open_images(reference)


def test_two_theta_without_axes_is_assumed_and_said(sweep):
    told = COMMENTS + "# Detector_2theta 25.0000 deg.\n# Kappa 10.0 deg.\n# Omega 3 deg.\n"
    with open_images(sweep(comments=told)) as images:
        assert images.geometry.detector.distance == pytest.approx(200)
        assert [each for each in images.warnings if "2theta = 25" in each]
        assert [each for each in images.warnings if "kappa = 10" in each]


def test_missing_numbers_are_lost_images(sweep):
    with open_images(sweep([3, 4, 7])) as images:
        assert images.shape[0] == 5
        assert images.geometry.rotation.first_number == 3
        assert images.geometry.rotation.start_deg == START + 2 * WIDTH
        assert images.lost_images == (2, 3)
        read = images.read()
        assert [image[0, 0] for image in read] == [3, 4, -1, -1, 7]
        assert (read[2] == -1).all()
        assert images.warnings == ()


@pytest.mark.parametrize("suffix", [".cbf", ".cbf.gz"])
def test_the_image_that_is_being_written_is_not_there_yet(sweep, tmp_path, suffix):
    reference = sweep(range(1, 4), template=f"lyso_1_####{suffix}")
    last = tmp_path / f"lyso_1_0003{suffix}"
    last.write_bytes(last.read_bytes()[:-600])
    with open_images(reference) as images:
        assert images.lost_images == (2,)
        assert (images.read(slice(2, 3)) == -1).all()
        assert "cut short" in images.warnings[0]


def test_a_damaged_image_is_told(sweep, tmp_path):
    reference = sweep()
    content = bytearray((tmp_path / "lyso_1_0002.cbf").read_bytes())
    content[-500] ^= 255
    (tmp_path / "lyso_1_0002.cbf").write_bytes(content)
    with open_images(reference) as images, pytest.raises(DataError, match="MD5"):
        images.read()


def test_angles_that_do_not_follow_are_told(sweep):
    sweep([1, 2])
    with open_images(sweep([3], start=50.0)) as images:
        assert "begins at 51 degrees, but -29 follow" in images.warnings[0]


def test_images_of_another_size_are_refused(sweep):
    sweep([1, 2])
    reference = sweep([3], image=picture(3, 90, 110))
    with pytest.raises(DataError, match="90 x 110 pixels"):
        open_images(reference)


@pytest.mark.parametrize(
    ("dropped", "words"),
    [("Wavelength", "the wavelength"), ("Beam_xy", "Beam_xy"), ("Detector_distance", "distance")],
)
def test_what_a_header_must_tell(sweep, dropped, words):
    lines = COMMENTS.splitlines(keepends=True)
    told = "".join(line for line in lines if dropped not in line)
    reference = sweep(comments=told)
    with pytest.raises(DataError, match=words):
        open_images(reference)
    (entry,) = READER.entries(Path(reference.path))
    assert entry.problem
    assert words in entry.problem


def test_a_damaged_sweep_keeps_no_other_from_being_read(sweep, tmp_path):
    sweep([1, 2])
    (tmp_path / "lyso_0_0001.cbf").write_bytes(b"###CBF: cut")
    broken, whole = READER.entries(tmp_path)
    assert "header has no end" in str(broken.problem)
    assert (whole.inner_path, whole.problem) == (TEMPLATE, None)


def test_sweeps_of_a_folder_are_entries(sweep, tmp_path):
    sweep(range(1, 4))
    sweep([1, 2], template="lyso_2_####.cbf.gz", started="2026-03-01T13:00:00")
    (tmp_path / "notes.txt").write_text("nothing")
    one, two = probe(tmp_path, technique="mx")
    assert (one.inner_path, two.inner_path) == ("lyso_1_####.cbf", "lyso_2_####.cbf.gz")
    assert (one.format, one.present_frames, one.needs_quiet) == ("cbf_series", 3, True)
    assert one.started_at is not None
    assert one.started_at.isoformat() == "2026-03-01T12:00:00+00:00"
    assert one.detector == f"{ROWS} x {COLUMNS}"
    assert one.stored_bytes == sum(each.stat().st_size for each in tmp_path.glob("lyso_1_*"))
    told = one.metadata
    assert told["title"] == "lyso_1"
    assert told["energy_keV"] == pytest.approx(12.658, abs=1e-3)
    assert (told["images"], told["oscillation_deg"], told["transmission"]) == (3, WIDTH, 0.5)
    assert told["kind"] == "rotation"


def test_a_sidecar_announces_a_sweep(sweep, tmp_path):
    reference = sweep(range(1, 4))
    told = {"frames": 5, "uid": "b2f7", "sample": {"name": "lyso_7"}}
    (tmp_path / "lyso_1.json").write_text(json.dumps(told))
    (entry,) = READER.entries(tmp_path)
    assert (entry.uid, entry.present_frames, entry.expected_frames) == ("b2f7", 3, 5)
    assert entry.metadata["sample"] == "lyso_7"
    with open_images(reference) as images:
        assert images.shape[0] == 5
        assert images.lost_images == (3, 4)
    (tmp_path / "lyso_1.json").write_text("[")
    (entry,) = READER.entries(tmp_path)
    assert "no readable JSON" in str(entry.problem)


def test_a_sweep_has_a_fingerprint_of_its_own(sweep, tmp_path):
    sweep([1, 2])
    before = fingerprint(tmp_path, TEMPLATE)
    sweep([1, 2], template="lyso_2_####.cbf")
    assert fingerprint(tmp_path, TEMPLATE) == before
    assert fingerprint(tmp_path, "lyso_2_####.cbf") != before
    sweep([3])
    assert fingerprint(tmp_path, TEMPLATE) != before


def test_one_image_alone(tmp_path):
    path = write_cbf(tmp_path / "still_0007.cbf.gz", 7)
    with open_images(ScanReference(str(path))) as images:
        assert images.shape[0] == 1
        assert images.geometry.rotation.first_number == 7
    (entry,) = probe(path, technique="mx")
    assert (entry.inner_path, entry.stored_bytes) == ("", None)


def test_an_unknown_sweep_is_told(sweep):
    reference = sweep()
    with pytest.raises(DataError, match=r"it has: lyso_1_####\.cbf"):
        READER.open(ScanReference(reference.path, "lyso_9_####.cbf"))


def test_what_is_no_image(tmp_path):
    path = tmp_path / "x_0001.cbf.gz"
    path.write_bytes(gzip.compress(b"nothing of the kind"))
    (entry,) = probe(path, technique="mx")
    assert "no CBF image" in str(entry.problem)
    with pytest.raises(DataError, match="no CBF image"):
        open_images(ScanReference(str(path)))
