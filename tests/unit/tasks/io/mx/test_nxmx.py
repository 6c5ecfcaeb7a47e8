"""NXmx files and DECTRIS masters: geometry, values that are none, what is missing or growing."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.diffraction import ScanReference, open_images
from tasks.io.mx.nxmx import READER, counts_of
from tasks.io.probe import probe
from tasks.mx.geometry import beam_centre, pixels_to_rays, scan_axis
from tests.unit.tasks.io.mx.nexus_files import (
    CENTRE,
    COLUMNS,
    DISTANCE,
    PIXEL,
    ROWS,
    START,
    WIDTH,
    axis,
    counts,
    data_file,
    describe,
    group,
    master,
    place,
    virtual,
)

GROWING = """
import sys, h5py, numpy as np
with h5py.File(sys.argv[1], "r+", libver="latest") as file:
    data = file["entry/data/data"]
    file.swmr_mode = True
    for count in (3, 5):
        data.resize(count, axis=0)
        data[:count] = count
        data.flush()
        print("written", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def files(tmp_path):
    """Write three files of at most four images, ten in all."""

    def write(name="run_data_{:06d}.h5"):
        images = counts(10)
        return [
            data_file(
                tmp_path / name.format(each + 1),
                images[4 * each : 4 * each + 4],
                first=4 * each + 1,
            )
            for each in range(3)
        ]

    return write


@pytest.fixture
def single(tmp_path):
    """Write a file that holds its images itself."""

    def write(images=None, name="run.nxs", more=None, placed=True, **changes):
        images = counts(4) if images is None else images
        with h5py.File(tmp_path / name, "w") as file:
            describe(file, **changes)
            file["entry/data/data"] = images
            if placed:
                place(file, len(images))
            if more is not None:
                more(file)
        return ScanReference(str(tmp_path / name))

    return write


def test_a_master_with_external_links(files, tmp_path):
    path = master(tmp_path / "run_master.h5", files(), 10)
    with open_images(ScanReference(str(path))) as images:
        assert images.shape == (10, ROWS, COLUMNS)
        np.testing.assert_array_equal(images.read(), counts(10))
        np.testing.assert_array_equal(images.read(slice(3, 9)), counts(10)[3:9])
        np.testing.assert_array_equal(images.read(slice(1, 10, 4)), counts(10)[1::4])
        assert images.read(slice(2)).dtype == np.int32
        assert images.saturation == 60000
        assert images.lost_images == ()


def test_a_master_may_call_its_first_file_the_signal(files, tmp_path):
    path = master(tmp_path / "run_master.h5", files(), 10)
    with h5py.File(path, "r+") as file:
        file["entry/data"].attrs["signal"] = "data_000001"
    with open_images(ScanReference(str(path))) as images:
        assert (images.shape[0], images.lost_images) == (10, ())
        np.testing.assert_array_equal(images.read(), counts(10))


def test_a_master_without_transformations_is_placed_by_convention(files, tmp_path):
    path = master(tmp_path / "run_master.h5", files(), 10)
    with h5py.File(path, "r+") as file:
        file["entry/sample/goniometer/omega"] = START + WIDTH * np.arange(10)
    with open_images(ScanReference(str(path))) as images:
        geometry, warnings = images.geometry, images.warnings
    assert beam_centre(geometry) == pytest.approx(CENTRE, abs=1e-6)
    np.testing.assert_allclose(
        (geometry.detector.fast, geometry.detector.slow), ((1, 0, 0), (0, -1, 0))
    )
    assert geometry.detector.distance == pytest.approx(DISTANCE)
    assert geometry.rotation.start_deg == START
    assert geometry.rotation.width_deg == pytest.approx(WIDTH)
    assert ["does not tell how its detector lies" in each for each in warnings] == [False, True]


def test_chains_lead_to_the_same_as_the_convention(files, tmp_path):
    linked = master(tmp_path / "run_master.h5", files(), 10)
    mapped = virtual(tmp_path / "run.nxs", files(), 4, images=10)
    with (
        open_images(ScanReference(str(linked))) as one,
        open_images(ScanReference(str(mapped))) as other,
    ):
        corners = np.array([[0, 0], [COLUMNS, 0], [0, ROWS], [7.5, 9.5]], float)
        np.testing.assert_allclose(
            pixels_to_rays(one.geometry, corners),
            pixels_to_rays(other.geometry, corners),
            atol=1e-12,
        )
        assert other.warnings == ()
        assert other.geometry.detector.pixel == pytest.approx((PIXEL, PIXEL))
        np.testing.assert_array_equal(other.read(), counts(10))


def test_a_goniometer_of_three_axes_on_a_two_theta_arm(files, tmp_path):
    path = virtual(tmp_path / "run.nxs", files(), 4, images=10, two_theta=20.0)
    with open_images(ScanReference(str(path))) as images:
        goniometer, detector = images.geometry.goniometer, images.geometry.detector
    assert (goniometer.names, goniometer.scan_axis) == (("phi", "chi", "omega"), 2)
    np.testing.assert_allclose(goniometer.angles_deg, (30, -45, START))
    np.testing.assert_allclose(goniometer.axes, [(1, 0, 0), (0, 0, -1), (1, 0, 0)], atol=1e-12)
    np.testing.assert_allclose(scan_axis(goniometer), (1, 0, 0))
    # the arm turns about McStas' -x, which is +x here: the detector's foot moves up
    sine, cosine = np.sin(np.radians(20)), np.cos(np.radians(20))
    foot = detector.origin + PIXEL * (CENTRE[0] * detector.fast + CENTRE[1] * detector.slow)
    np.testing.assert_allclose(foot, DISTANCE * np.array([0, sine, -cosine]), atol=1e-9)
    np.testing.assert_allclose(detector.slow, (0, -cosine, -sine), atol=1e-12)


def test_a_scan_about_an_inner_axis(single):
    def turn_phi(file):
        del file["entry/sample/transformations/phi"]
        del file["entry/sample/transformations/omega"]
        path = "/entry/sample/transformations"
        axis(file, f"{path}/phi", np.radians([0.0, 0.2, 0.4, 0.6]), "rotation", (-1, 0, 0), "chi")
        file[f"{path}/phi"].attrs["units"] = "rad"
        axis(file, f"{path}/omega", 90.0, "rotation", (-1, 0, 0))

    with open_images(single(more=turn_phi)) as images:
        goniometer, rotation = images.geometry.goniometer, images.geometry.rotation
    assert goniometer.scan_axis == 0
    assert (rotation.start_deg, rotation.width_deg) == pytest.approx((0.0, 0.2))
    # phi stands on chi = -45 about -z, on omega = 90 about x
    half = np.sqrt(0.5)
    np.testing.assert_allclose(scan_axis(goniometer), (half, 0, half), atol=1e-12)


def test_swapped_sizes_of_a_module_are_taken_the_other_way_round(files, tmp_path):
    path = virtual(tmp_path / "run.nxs", files(), 4, images=10, swapped=True)
    with open_images(ScanReference(str(path))) as images:
        assert images.shape == (10, ROWS, COLUMNS)
        assert "(fast, slow)" in images.warnings[0]


def test_modules_of_one_plane_are_one_detector(single):
    def second(file):
        file.copy("entry/instrument/detector/module", "entry/instrument/detector/module2")
        module = file["entry/instrument/detector/module2"]
        module["data_origin"][...] = (20, 0)
        offset = np.array([CENTRE[0], CENTRE[1] - 20, 0]) * PIXEL
        module["module_offset"].attrs["offset"] = offset
        for name in ("fast", "slow"):
            direction = module[f"{name}_pixel_direction"]
            direction.attrs["depends_on"] = "module_offset"

    with open_images(single(more=second)) as images:
        assert beam_centre(images.geometry) == pytest.approx(CENTRE, abs=1e-6)

    def tilted(file):
        second(file)
        direction = file["entry/instrument/detector/module2/slow_pixel_direction"]
        direction.attrs["vector"] = np.array([0, -0.8, 0.6])

    with pytest.raises(DataError, match="do not lie in one plane"):
        open_images(single(more=tilted, name="tilted.nxs"))


@pytest.mark.parametrize(
    ("dtype", "largest"), [(np.uint8, 255), (np.uint16, 65535), (np.uint32, 2**32 - 1)]
)
def test_the_largest_value_of_a_type_is_no_pixel(single, dtype, largest):
    stack = np.full((2, ROWS, COLUMNS), 7, dtype)
    stack[1, 3, 4] = largest
    stack[:, 5, 6] = largest
    stack[1, 8, 8] = 200
    with open_images(single(stack)) as images:
        read = images.read()
        assert (read[1, 3, 4], read[0, 5, 6], read[1, 8, 8], read[0, 3, 4]) == (-1, -1, 200, 7)
        assert np.argwhere(images.mask).tolist() == [[5, 6]]


def test_bits_of_the_image_tell_its_largest_value(single):
    stack = np.full((1, ROWS, COLUMNS), 7, np.uint32)
    stack[0, 0, :4] = (65535, 65534, 65533, 60000)
    with open_images(single(stack, bit_depth_image=16)) as images:
        assert images.read()[0, 0, :5].tolist() == [-1, -1, 65533, 60000, 7]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (np.array([-2, -1, 0, 2**31 - 1], np.int32), [-1, -1, 0, 2**31 - 1]),
        (np.array([-2, -1, 0, 5], np.int64), [-1, -1, 0, 5]),
        (np.array([np.nan, -1, 0.4, 5.6]), [-1, -1, 0, 6]),
    ],
)
def test_signed_values_and_real_ones(stored, expected):
    counts = np.empty(4, np.int32)
    counts_of(stored, 2**62, counts)
    assert counts.tolist() == expected


def test_images_that_are_packed_together(single):
    def pack(file):
        del file["entry/data/data"]
        file.create_dataset("entry/data/data", data=counts(10), chunks=(4, ROWS, COLUMNS))

    with open_images(single(counts(10), more=pack)) as images:
        np.testing.assert_array_equal(images.read(), counts(10))
        np.testing.assert_array_equal(images.read(slice(3, 9)), counts(10)[3:9])


def test_the_mask_of_the_file_counts(single):
    mask = np.zeros((ROWS, COLUMNS), np.uint32)
    mask[3, 4] = 8
    with open_images(single(pixel_mask=mask)) as images:
        assert np.argwhere(images.mask).tolist() == [[3, 4]]
    with open_images(single(pixel_mask=mask.T.copy(), name="other.nxs")) as images:
        assert "mask is not used" in images.warnings[0]


def test_gaps_between_modules_are_masked(single):
    with open_images(single(counts(1, 1065, 1030), placed=False)) as images:
        assert images.mask.sum() == 37 * 1030
        assert images.mask[514:551].all()


def test_files_that_are_missing_are_lost_images(files, tmp_path):
    parts = files()
    path = master(tmp_path / "run_master.h5", parts, 10)
    mapped = virtual(tmp_path / "run.nxs", parts, 4, images=10)
    parts[1].unlink()
    for each in (path, mapped):
        (entry,) = probe(each, technique="mx")
        assert (entry.present_frames, entry.expected_frames, entry.missing) == (6, 10, (parts[1],))
        with open_images(ScanReference(str(each))) as images:
            assert images.lost_images == (4, 5, 6, 7)
            read = images.read(slice(3, 9))
            assert read[:, 0, 0].tolist() == [30, -1, -1, -1, -1, 80]
    for part in parts:
        part.unlink(missing_ok=True)
    with pytest.raises(DataError, match="no images yet"):
        open_images(ScanReference(str(path)))


def test_an_aborted_sweep_goes_as_far_as_it_went(files, tmp_path):
    path = master(tmp_path / "run_master.h5", files()[:2], 20)
    (entry,) = probe(path, technique="mx")
    assert (entry.present_frames, entry.expected_frames, entry.missing) == (8, 20, ())
    with open_images(ScanReference(str(path))) as images:
        assert images.shape[0] == 20
        assert images.lost_images == tuple(range(8, 20))


def test_room_that_was_made_is_not_an_image(tmp_path):
    parts = [tmp_path / f"run_data_{each:06d}.h5" for each in (1, 2)]
    for part in parts:
        with h5py.File(part, "w") as file:
            shape = (5, ROWS, COLUMNS)
            room = file.create_dataset("entry/data/data", shape, np.uint16, chunks=(1, *shape[1:]))
            room[0], room[3] = 7, 8
    linked = master(tmp_path / "run_master.h5", parts, 10)
    mapped = virtual(tmp_path / "run.nxs", parts, 5, images=10)
    for path in (linked, mapped):
        (entry,) = probe(path, technique="mx")
        assert (entry.present_frames, entry.expected_frames) == (4, 10)
        with open_images(ScanReference(str(path))) as images:
            assert images.lost_images == (1, 2, 4, 6, 7, 9)
            assert images.read()[:, 0, 0].tolist() == [7, -1, -1, 8, -1, 7, -1, -1, 8, -1]


def test_a_file_that_grows_is_read_as_far_as_it_is(tmp_path):
    path = tmp_path / "run.nxs"
    with h5py.File(path, "w", libver="latest") as file:
        describe(file)
        place(file, 6)
        file.create_dataset(
            "entry/data/data",
            (0, ROWS, COLUMNS),
            np.uint16,
            maxshape=(6, ROWS, COLUMNS),
            chunks=(1, ROWS, COLUMNS),
        )
    with subprocess.Popen(
        [sys.executable, "-c", GROWING, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdin
        assert writer.stdout
        for count in (3, 5):
            assert writer.stdout.readline() == "written\n"
            (entry,) = probe(path, technique="mx")
            assert (entry.present_frames, entry.expected_frames) == (count, 6)
            assert entry.being_written
            with open_images(ScanReference(str(path))) as images:
                assert images.lost_images == tuple(range(count, 6))
                assert images.read(slice(count - 1, count)).max() == count
            writer.stdin.write("\n")
            writer.stdin.flush()
    (entry,) = probe(path, technique="mx")
    assert not entry.being_written


def test_what_an_entry_tells(single):
    def tell(file):
        file["entry/title"] = "second crystal"
        file["entry/entry_identifier_uuid"] = "b2f7"
        file["entry/sample/name"] = "lyso_7"
        file["entry/sample/space_group"] = "P 43 21 2"
        file["entry/sample/unit_cell"] = [79.0, 79, 38, 90, 90, 90]
        file["entry/end_time"] = "2026-03-01T12:01:00Z"
        file["entry/instrument/beam/incident_polarization_stokes"] = [1.0, 0.98, 0, 0]

    reference = single(more=tell)
    (entry,) = probe(Path(reference.path), technique="mx")
    assert (entry.format, entry.inner_path, entry.uid) == ("nxmx", "entry", "b2f7")
    assert entry.started_at is not None
    assert entry.has_all_frames
    assert not entry.needs_quiet
    told = entry.metadata
    assert (told["title"], told["sample"], told["space_group"]) == (
        "second crystal",
        "lyso_7",
        "P 43 21 2",
    )
    assert told["cell"] == [79, 79, 38, 90, 90, 90]
    assert told["kind"] == "rotation"
    assert told["oscillation_deg"] == pytest.approx(WIDTH)
    with open_images(reference) as images:
        assert images.geometry.beam.polarisation == pytest.approx(0.99)
        assert images.facts.exposure == 0.02


@pytest.mark.parametrize("is_snake", [False, True])
def test_a_grid_scan(single, is_snake):
    def grid(file):
        path = "/entry/sample/transformations"
        columns = np.tile(0.02 * np.arange(5.0), (3, 1))
        if is_snake:
            columns[1] = columns[1, ::-1].copy()
        noise = np.random.default_rng(1).normal(0, 1e-4, 15)
        axis(
            file,
            f"{path}/sam_x",
            columns.ravel() + noise,
            "translation",
            (1, 0, 0),
            f"{path}/sam_y",
        )
        axis(
            file,
            f"{path}/sam_y",
            np.repeat(0.03 * np.arange(3.0), 5),
            "translation",
            (0, 1, 0),
            f"{path}/omega",
        )
        del file[f"{path}/omega"]
        axis(file, f"{path}/omega", np.full(15, 12.0), "rotation", (-1, 0, 0))
        del file["entry/sample/depends_on"]
        file["entry/sample/depends_on"] = f"{path}/sam_x"

    with open_images(single(counts(15), more=grid)) as images:
        assert images.facts.grid == (3, 5)
        assert images.metadata["kind"] == "grid scan"
        assert images.geometry.rotation.width_deg == 0
        assert images.geometry.rotation.start_deg == 12


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.__delitem__("entry/instrument/beam/incident_wavelength"), "wavelength"),
        (lambda file: file.__delitem__("entry/sample/transformations/chi"), "depends on 'chi'"),
        (
            lambda file: file["entry/sample/transformations/omega"].attrs.update(depends_on="phi"),
            "depend on one another",
        ),
        (
            lambda file: file["entry/sample/transformations/omega"].attrs.__delitem__("vector"),
            "has no vector",
        ),
        (
            lambda file: file["entry/instrument/detector/transformations/det_z"].attrs.update(
                units="furlong"
            ),
            "furlong",
        ),
    ],
)
def test_what_is_wrong_is_told(single, spoil, words):
    reference = single(more=spoil)
    (entry,) = probe(Path(reference.path), technique="mx")
    assert words in str(entry.problem)
    with pytest.raises(DataError, match=words):
        open_images(reference)


def test_other_files_are_none_of_ours(tmp_path, files):
    (part, *_) = files()
    assert READER.entries(part) == []
    (tmp_path / "notes.txt").write_text("nothing")
    assert READER.entries(tmp_path / "notes.txt") == []
    with h5py.File(tmp_path / "empty.nxs", "w") as file:
        group(file, "entry", "NXentry")
    assert READER.entries(tmp_path / "empty.nxs") == []
