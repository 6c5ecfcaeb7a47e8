"""What the files say, read by others' readers and by the rules of the standards."""

from dataclasses import replace

import fabio
import h5py
import hdf5plugin  # noqa: F401  (registers the filters)
import numpy as np
import pytest

from infra.simulator.mx import byte_offset, cases, truth
from infra.simulator.mx.plan import Crystal, Rotation, SweepPlan
from infra.simulator.mx.sweep import Sweep
from infra.simulator.mx.write import FORMATS, write_sweep

SMALL = Crystal("P 21 21 21", (31.0, 37.0, 42.0, 90.0, 90.0, 90.0), d_min=3.0)
PLAN = SweepPlan(crystal=SMALL, rotation=Rotation(20.0, 0.5, 5)).identified()
NONE = 2**32 - 1


def turned(axis, angle_deg):
    """Rodrigues' formula."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(angle_deg)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def chain(file, path, image=0):
    """Walk a NeXus chain of axes; return its rotation and translation (m)."""
    rotation, moved = np.eye(3), np.zeros(3)
    while path != ".":
        axis = file[path]
        values = np.atleast_1d(axis[()])
        value = values[image] if len(values) > 1 else values[0]
        vector = np.array(axis.attrs["vector"])
        step = np.zeros(3)
        if axis.attrs["transformation_type"] == "rotation":
            turn = turned(vector, value)
        else:
            turn, step = np.eye(3), value * vector
        step = step + np.array(axis.attrs.get("offset", np.zeros(3)))
        rotation, moved = turn @ rotation, turn @ moved + step
        path = axis.attrs["depends_on"]
    return rotation, moved


def places(file, xy):
    """Return where points of the detector (pixels) are in McStas's frame, in m."""
    module = "/entry/instrument/detector/module"
    corners = []
    for name in ("fast", "slow"):
        axis = file[f"{module}/{name}_pixel_direction"]
        corners.append(axis[()] * np.array(axis.attrs["vector"]))
    rotation, moved = chain(file, f"{module}/module_offset")
    return (xy[:, :1] * corners[0] + xy[:, 1:] * corners[1]) @ rotation.T + moved


@pytest.mark.parametrize("case", [lambda plan: plan, cases.inclined])
def test_nxmx_places_reflections_where_the_truth_has_them(tmp_path, case):
    """By the transformations alone: diffracted rays end on the Ewald sphere."""
    plan = case(PLAN)
    plan = replace(plan, detector=replace(plan.detector, thickness=1e-6))
    true = write_sweep(tmp_path, plan)
    half = np.diag([-1.0, 1.0, -1.0])  # from imgCIF's frame to McStas's
    with h5py.File(tmp_path / "sweep_1_master.h5") as file:
        wavelength = file["entry/instrument/beam/incident_wavelength"][()]
        at = places(file, true.xyz[:, :2])
        rays = at / np.linalg.norm(at, axis=1, keepdims=True) / wavelength
        scattered = rays - np.array([0, 0, 1]) / wavelength
        chosen = np.flatnonzero((true.xyz[:, 2] > 0) & (true.xyz[:, 2] < 5))
        assert len(chosen) > 100
        for row in chosen:
            image = int(true.xyz[row, 2])
            depends = file["entry/sample/depends_on"][()].decode()
            fine = true.xyz[row, 2] - image
            angles = file["entry/sample/transformations/omega"]
            axis = half @ turned(np.array([1.0, 0, 0]), 0) @ np.array([1.0, 0, 0])
            setting, _ = chain(file, depends, image)
            setting = turned(axis, fine * 0.5) @ setting  # omega is the outermost axis
            assert angles[image] == pytest.approx(20 + 0.5 * image)
            point = setting @ half @ true.a_matrix @ true.hkl[row]
            np.testing.assert_allclose(point, scattered[row], atol=2e-5)


def test_nxmx_tells_images_mask_and_range(tmp_path):
    plan = replace(PLAN, detector=replace(PLAN.detector, dead=1e-3))
    write_sweep(tmp_path, plan)
    sweep = Sweep(plan)
    with h5py.File(tmp_path / "sweep_1_master.h5") as file:
        entry = file["entry"]
        assert entry["definition"][()] == b"NXmx"
        assert entry["data/data"].shape == (5, 512, 512)
        image = sweep.image(3)
        stored = entry["data/data"][3]
        np.testing.assert_array_equal(stored[image >= 0], image[image >= 0])
        assert np.all(stored[image < 0] == NONE)
        mask = entry["instrument/detector/pixel_mask"][()]
        np.testing.assert_array_equal(mask > 0, sweep.pixels.masked)
        assert entry["instrument/detector/saturation_value"][()] == plan.detector.saturation
        source = entry["data"].get("data_000001", getlink=True)
        assert isinstance(source, h5py.ExternalLink)
        assert 32008 in _filters(entry["data/data_000001"])  # bitshuffle


def _filters(dataset):
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]


def test_dectris_files_have_links_alone(tmp_path):
    write_sweep(tmp_path, replace(PLAN, rotation=Rotation(0, 0.5, 3)), "dectris")
    with h5py.File(tmp_path / "sweep_1_master.h5") as file:
        assert list(file["entry/data"]) == ["data_000001", "omega"]
        assert file["entry/data/data_000001"].shape == (3, 512, 512)


def test_an_aborted_sweep_has_as_many_images_as_came(tmp_path):
    plan = replace(PLAN, faults=replace(PLAN.faults, aborted_after=3))
    write_sweep(tmp_path, plan, "dectris")
    with h5py.File(tmp_path / "sweep_1_master.h5") as file:
        assert file["entry/data/data_000001"].shape[0] == 3
        assert file["entry/instrument/detector/detectorSpecific/nimages"][()] == 5


def test_what_never_came_is_empty(tmp_path):
    plan = replace(PLAN, faults=replace(PLAN.faults, lost=(1,), aborted_after=3))
    write_sweep(tmp_path, plan)
    with h5py.File(tmp_path / "sweep_1_master.h5") as file:
        images = file["entry/data/data"][:, 100, 100]
    np.testing.assert_array_equal(images == NONE, [False, True, False, True, True])


@pytest.mark.parametrize("form", ["cbf", "cbf.gz"])
def test_cbf_is_read_by_fabio(tmp_path, form):
    true = write_sweep(tmp_path, PLAN, form)
    path = tmp_path / f"sweep_1_00003.{form}"
    with fabio.open(str(path)) as file:
        np.testing.assert_array_equal(file.data, Sweep(PLAN).image(2))
        header = file.header["_array_data.header_contents"]
    told = dict(line[2:].split(maxsplit=1) for line in header.splitlines() if " " in line[2:])
    assert told["Start_angle"] == "21.0000 deg."
    assert told["Angle_increment"] == "0.5000 deg."
    assert told["Detector_distance"] == "0.080000 m"
    assert told["Beam_xy"] == f"({true.beam_centre[0]:.2f}, {true.beam_centre[1]:.2f}) pixels"
    assert told["Count_cutoff"] == f"{PLAN.detector.saturation} counts"


def test_headers_are_as_wrong_as_planned(tmp_path):
    plan = cases.off_centre(PLAN)
    true = write_sweep(tmp_path, plan)
    with h5py.File(tmp_path / "sweep_1_master.h5") as file:
        detector = file["entry/instrument/detector"]
        told = [detector[f"beam_center_{axis}"][()] for axis in "xy"]
        corner = places(file, np.array([told]))[0]
    off = (np.array(told) - true.beam_centre) * plan.detector.pixel
    np.testing.assert_allclose(off, [2.4, -1.8])
    np.testing.assert_allclose(corner, [0, 0, 0.08], atol=1e-12)


@pytest.mark.parametrize("form", FORMATS)
def test_files_come_one_after_the_other(tmp_path, form):
    write_sweep(tmp_path, replace(PLAN, rotation=Rotation(0, 0.5, 2)), form)
    names = sorted(path.name for path in tmp_path.iterdir())
    ending = [f"sweep_1_0000{number}.{form}" for number in (1, 2)]
    if form in ("nxmx", "dectris"):
        ending = ["sweep_1_data_000001.h5", "sweep_1_master.h5"]
    assert names == ending


def test_truth_is_kept(tmp_path):
    true = write_sweep(tmp_path, PLAN, truth_folder=tmp_path / "truth")
    read = truth.read(tmp_path / "truth" / "sweep_1.npz")
    assert read.space_group == true.space_group == "P 21 21 21"
    np.testing.assert_array_equal(read.hkl, true.hkl)
    np.testing.assert_array_equal(read.part, true.part)
    np.testing.assert_allclose(read.cell, PLAN.crystal.cell)


def test_bytes_are_offsets():
    image = np.array([[0, 127, 0, -127, 1, 200, -40_000], [-1, 2**31 - 1, 0, 5, 5, 5, -2]])
    packed = byte_offset.compressed(image.astype(np.int32))
    assert packed[:4] == bytes([0, 127, 129, 129])  # steps 0, 127, -127, -127
    unpack = fabio.compression.decByteOffset
    np.testing.assert_array_equal(unpack(packed, size=14), image.ravel())
