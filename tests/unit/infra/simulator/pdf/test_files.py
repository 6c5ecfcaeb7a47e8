import json
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import get_context

import fabio
import h5py
import hdf5plugin  # noqa: F401  (registers the filters)
import numpy as np
import pytest
import tifffile

from infra.simulator.pdf import facts, images, poni, truth
from infra.simulator.pdf.cases import impossible_composition, other_detector, wrong_wavelength
from infra.simulator.pdf.plan import Geometry, ScanPlan
from infra.simulator.pdf.scan import Scan
from infra.simulator.pdf.write import write_calibrations, write_scan

TINY = Geometry(pixel1=2e-3, pixel2=2e-3, rows=110, columns=100)
PLAN = replace(ScanPlan(proposal="2026-0117").identified(), geometry=TINY)
SERIES = replace(PLAN, frames=4)


def test_a_stack_with_what_is_known_about_it(tmp_path):
    path = write_scan(tmp_path, SERIES, truth_folder=tmp_path / "truth")
    assert sorted(child.name for child in tmp_path.iterdir()) == ["scan_0001.h5", "truth"]
    with h5py.File(path) as file:
        entry = file["entry"]
        detector = entry["instrument/detector"]
        assert detector.attrs["NX_class"] == "NXdetector"
        assert detector["data"].shape == (4, 110, 100)
        assert detector["data"].dtype == np.uint32
        scan = Scan(SERIES)
        np.testing.assert_array_equal(detector["data"][3], scan.frame(3).astype(np.uint32))
        np.testing.assert_array_equal(detector["pixel_mask"][()] == 1, scan.pixels.gaps)
        assert detector["saturation_value"][()] == SERIES.detector.saturation
        assert detector["x_pixel_size"][()] == 2e-3
        assert detector["count_time"].attrs["units"] == "s"
        assert entry["instrument/beam/incident_wavelength"][()] == 0.1671
        np.testing.assert_allclose(entry["monitor/data"], np.round(scan.monitor))
        assert entry["sample/chemical_formula"].asstr()[()] == "Ni"
        assert entry["sample/density"][()] == pytest.approx(8.908, abs=1e-3)
        assert entry["sample/transmission"][()] == pytest.approx(0.702, abs=1e-3)
        assert entry["container/description"].asstr()[()] == "kapton capillary 0.9 mm wall 50 um"
        assert entry["entry_identifier_uuid"].asstr()[()] == SERIES.uid
        np.testing.assert_array_equal(entry["data/data"][0], detector["data"][0])
    assert truth.read(tmp_path / "truth/scan_0001.json").cells.shape == (4, 1)


def test_a_growing_stack_can_be_read_in_between(tmp_path):
    process = get_context("spawn").Process(
        target=write_scan, args=(tmp_path, SERIES), kwargs={"seconds": 1.5}
    )
    process.start()
    path, seen, deadline = tmp_path / "scan_0001.h5", set(), time.monotonic() + 60
    while process.is_alive() and time.monotonic() < deadline:
        try:
            with h5py.File(path) as file:
                found = file.get("entry/instrument/detector/data")
                seen.add(0 if found is None else len(found))
        except OSError:  # not there, or open for writing
            time.sleep(0.01)
    process.join()
    assert process.exitcode == 0
    assert len(seen & {1, 2, 3}) >= 2


def test_single_images_and_folders_of_them(tmp_path):
    single = write_scan(tmp_path, PLAN, "tiff")
    np.testing.assert_array_equal(tifffile.imread(single), Scan(PLAN).frame(0))
    said = json.loads((tmp_path / "scan_0001.json").read_text())
    assert said["kind"] == "sample"
    assert said["composition"] == "Ni"
    assert len(said["monitor"]) == 1
    folder = write_scan(tmp_path, replace(SERIES, name="scan_0002"), "tiff")
    assert sorted(each.name for each in folder.iterdir())[:2] == [
        "scan.json",
        "scan_0002_00001.tif",
    ]
    assert len(list(folder.glob("*.tif"))) == 4


def test_edf_images_say_in_their_header_what_is_known(tmp_path):
    path = write_scan(tmp_path, PLAN, "edf")
    with fabio.open(str(path)) as image:
        np.testing.assert_array_equal(image.data, Scan(PLAN).frame(0))
        assert float(image.header["wavelength"]) == 0.1671
        assert float(image.header["monitor"]) == pytest.approx(Scan(PLAN).monitor[0], abs=1)


def test_calibrations_say_their_kind(tmp_path):
    written = write_calibrations(tmp_path, PLAN)
    kinds = {"container", "empty", "dark", "flat", "mask", "geometry"}
    assert set(written) == kinds
    for kind in ("container", "empty", "dark", "flat"):
        with h5py.File(written[kind]) as file:
            assert file["entry/sample/type"].asstr()[()] == kind
            assert "chemical_formula" not in file["entry/sample"]
    pixels = Scan(PLAN).pixels
    with fabio.open(str(written["mask"])) as image:
        np.testing.assert_array_equal(image.data == 1, pixels.gaps | pixels.shadow | pixels.dead)


def test_the_geometry_is_read_by_pyfai(tmp_path):
    import pyFAI

    peer = pyFAI.load(str(poni.write(tmp_path, PLAN)))
    assert (peer.dist, peer.poni1, peer.poni2) == (TINY.distance, TINY.poni1, TINY.poni2)
    assert (peer.rot1, peer.rot2, peer.rot3) == (TINY.rot1, TINY.rot2, TINY.rot3)
    assert peer.detector.shape == TINY.shape
    assert peer.wavelength == pytest.approx(0.1671e-10)
    column, row = facts.beam_centre(PLAN)
    assert peer.tth(np.array([row]), np.array([column]))[0] == pytest.approx(0.0, abs=0.01)


def test_what_is_claimed_stands_in_the_files(tmp_path):
    claimed = impossible_composition(wrong_wavelength(other_detector(PLAN)))
    with h5py.File(write_scan(tmp_path, claimed)) as file:
        assert file["entry/instrument/detector/data"].shape == (1, 110, 100)
        assert file["entry/instrument/detector/x_pixel_size"][()] == 172e-6
        assert file["entry/sample/chemical_formula"].asstr()[()] == "Xx2O3"
        assert file["entry/instrument/beam/incident_wavelength"][()] == pytest.approx(1.05 * 0.1671)
    assert truth.of(claimed).formula == "Ni"
    assert truth.of(claimed).geometry == TINY
    images.write_mask(tmp_path, claimed)


def test_the_command_line(tmp_path):
    command = [sys.executable, "-m", "infra.simulator.pdf", str(tmp_path / "raw")]
    options = ["--frames", "2", "--small", "--sample", "CeO2", "--case", "spotty", "--seed", "5"]
    folders = ["--truth", str(tmp_path / "truth"), "--calibrations", str(tmp_path / "calibrations")]
    subprocess.run([*command, *options, *folders], check=True, capture_output=True)
    with h5py.File(tmp_path / "raw/scan_0001.h5") as file:
        assert file["entry/instrument/detector/data"].shape == (2, 512, 512)
    assert truth.read(tmp_path / "truth/scan_0001.json").formula == "CeO2"
    assert (tmp_path / "calibrations/geometry.poni").exists()
