import time
from dataclasses import replace
from multiprocessing import get_context

import h5py
import numpy as np
import pytest
import tifffile

from infra.simulator import faults, truth
from infra.simulator.phantom import Geometry
from infra.simulator.plan import Delivery, ScanPlan, measure
from infra.simulator.scan import write_calibration, write_entries, write_scan

PLAN = ScanPlan(
    geometry=Geometry(columns=48, rows=6, projections=40, axis=22.7), flats=(4, 3), darks=2
)


def test_dxchange_announces_its_angles_and_counts_its_frames(tmp_path):
    path = write_scan(tmp_path, replace(PLAN, lost=(7, 30)).identified())
    with h5py.File(path) as file:
        assert file["exchange/data"].shape == (38, 6, 48)
        assert file["exchange/data_white"].shape == (7, 6, 48)
        assert file["exchange/data_dark"].shape == (2, 6, 48)
        assert len(file["exchange/theta"]) == 40
        assert set(range(40)) - set(file["exchange/frame_ids"][()]) == {7, 30}


def test_nxtomo_has_an_angle_and_a_key_for_every_planned_frame(tmp_path):
    path = write_scan(tmp_path, replace(PLAN, layout="nxtomo", lost=(7,)))
    with h5py.File(path) as file:
        detector = file["entry/instrument/detector"]
        assert detector["data"].shape == (48, 6, 48)
        assert np.bincount(detector["image_key"]).tolist() == [40, 7, 2]
        assert len(file["entry/sample/rotation_angle"]) == 49
        assert set(range(49)) - set(detector["sequence_number"][()]) == {2 + 4 + 7}
        assert file["entry/data/data"] == detector["data"]


def test_frames_may_stand_in_a_linked_file(tmp_path):
    plan = replace(PLAN, layout="nxtomo", delivery=Delivery("linked"))
    with h5py.File(write_scan(tmp_path, plan)) as file:
        data = file["entry/instrument/detector/data"]
        assert data.file.filename.endswith("scan_0001-frames.hdf")
        np.testing.assert_array_equal(data, measure(plan).frames)


def test_a_slow_scan_is_locked_until_it_is_done(tmp_path):
    plan = replace(PLAN, delivery=Delivery("slow", 0.5))
    writer = get_context("spawn").Process(target=write_scan, args=(tmp_path, plan))
    writer.start()
    path, refused, deadline = tmp_path / "scan_0001.h5", 0, time.monotonic() + 20
    while writer.is_alive() and time.monotonic() < deadline:
        if path.exists():
            try:
                h5py.File(path).close()
            except OSError:
                refused += 1
        time.sleep(0.05)
    assert writer.exitcode == 0
    assert refused > 2
    with h5py.File(path) as file:
        assert len(file["exchange/data"]) == 40


def test_tiff_folder(tmp_path):
    path = write_scan(tmp_path, replace(PLAN, layout="tiff_folder", lost=(3,)))
    assert len(list((path / "projections").glob("*.tif"))) == 39
    assert not (path / "projections/projections_00003.tif").exists()
    assert len(np.loadtxt(path / "angles.txt")) == 40
    last = tifffile.imread(path / "projections/projections_00039.tif")
    np.testing.assert_array_equal(last, measure(PLAN).of(0)[39])


def test_several_entries_in_one_file(tmp_path):
    plans = [PLAN.identified(), replace(PLAN, seed=1).identified()]
    with h5py.File(write_entries(tmp_path, "night", plans)) as file:
        assert list(file) == ["entry1", "entry2"]
        uids = {file[f"{entry}/entry_identifier_uuid"].asstr()[()] for entry in file}
    assert uids == {plan.uid for plan in plans}


@pytest.mark.parametrize("layout", ["dxchange", "nxtomo", "tiff_folder"])
def test_flats_in_a_file_of_their_own(tmp_path, layout):
    plan = replace(PLAN, layout=layout, calibrations_inside=False)
    scan, flats = write_scan(tmp_path, plan), write_calibration(tmp_path, plan, "flats_1")
    if layout == "dxchange":
        assert list(h5py.File(scan)["exchange"]) == ["data", "frame_ids", "theta"]
        assert list(h5py.File(flats)["exchange"]) == ["data_dark", "data_white"]
    elif layout == "nxtomo":
        keys = [
            set(h5py.File(path)["entry/instrument/detector/image_key"][()])
            for path in (scan, flats)
        ]
        assert keys == [{0}, {1, 2}]
    else:
        assert not (scan / "flats").exists()
        assert not (flats / "projections").exists()


def test_truth_is_read_back_as_it_was(tmp_path):
    write_scan(tmp_path, replace(PLAN, lost=(3,)), truth_folder=tmp_path / "truth")
    found = truth.read(tmp_path / "truth/scan_0001.json")
    assert found == truth.of(replace(PLAN, lost=(3,)))
    assert found.axis == 22.7
    image = found.image(row=2)
    assert image.shape == (48, 48)
    assert image.max() > 1


def test_broken_files(tmp_path):
    for fault in (faults.truncated, faults.text_named_h5, faults.empty):
        path = fault(tmp_path, replace(PLAN, name=fault.__name__))
        with pytest.raises(OSError):
            h5py.File(path)
    with h5py.File(faults.not_a_number(tmp_path, replace(PLAN, name="nan"))) as file:
        assert np.isnan(file["exchange/data"][5]).all()
    with h5py.File(faults.angles_missing(tmp_path, replace(PLAN, name="angles"))) as file:
        assert len(file["exchange/theta"]) == 38
    with h5py.File(faults.frames_lost(tmp_path, replace(PLAN, name="lost"))) as file:
        assert len(file["exchange/data"]) == 38
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_link_whose_target_comes_late(tmp_path):
    path = faults.link_without_target(tmp_path, PLAN)
    with h5py.File(path) as file, pytest.raises(KeyError):
        file["entry/instrument/detector/data"]
    faults.bring_target(tmp_path, PLAN)
    with h5py.File(path) as file:
        assert len(file["entry/instrument/detector/data"]) == 49
