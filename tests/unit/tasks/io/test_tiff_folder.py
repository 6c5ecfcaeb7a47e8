import json

import numpy as np
import pytest
import tifffile

from tasks.errors import DataError
from tasks.io.probe import probe
from tasks.io.scan import ScanReference, open_scan


def test_entry(tiff_folder):
    folder = tiff_folder()
    (folder / "scan.json").write_text(json.dumps({"uid": "u", "sample": "骨", "pixel_size_um": 2}))
    (entry,) = probe(folder)
    assert (entry.present_frames, entry.expected_frames) == (10, 10)
    assert (entry.uid, entry.metadata["sample"], entry.detector) == ("u", "骨", "6 x 8")
    assert entry.needs == () and entry.needs_quiet


def test_rows_in_numeric_order(tiff_folder):
    with open_scan(ScanReference(str(tiff_folder(frames=12)))) as scan:
        assert scan.shape == (12, 6, 8)
        assert scan.projections(slice(1, 2))[:, 0, 0].tolist() == list(range(10, 22))
        assert (scan.n_flats, scan.n_darks) == (3, 2)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_compressed_images(tiff_folder, compression):
    folder = tiff_folder()
    for file in (folder / "projections").iterdir():
        tifffile.imwrite(file, tifffile.imread(file), compression=compression)
    with open_scan(ScanReference(str(folder))) as scan:
        assert scan.projections(slice(2, 3), slice(0, 2))[:, 0, 0].tolist() == [20, 21]


def test_lost_images_by_their_numbers(tiff_folder):
    with open_scan(ScanReference(str(tiff_folder(lost=(3, 9))))) as scan:
        assert (scan.lost_frames, scan.angles_matched) == ((3, 9), True)
        assert np.rad2deg(scan.angles[3]) == pytest.approx(72)


def test_kinds_by_name(tmp_path):
    for name in ("proj_1", "proj_2", "dark_1", "flat_1", "flat_after_2"):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.ones((4, 4), np.uint8))
    (tmp_path / "theta.txt").write_text("# radians\n0.0\n3.14\n")
    with open_scan(ScanReference(str(tmp_path))) as scan:
        assert (scan.shape[0], scan.n_flats, scan.n_darks) == (2, 2, 1)
        assert scan.angles.tolist() == [0, 3.14]
        assert scan.flat_positions.tolist() == [0, 1]


def test_announced_calibrations_need_no_quiet(tiff_folder):
    folder = tiff_folder()
    (folder / "scan.json").write_text(json.dumps({"flats": 3, "darks": 2}))
    assert not probe(folder)[0].needs_quiet
    (folder / "scan.json").write_text(json.dumps({"flats": 5, "darks": 2}))
    assert probe(folder)[0].needs_quiet


def test_no_angles(tiff_folder):
    folder = tiff_folder()
    (folder / "angles.txt").unlink()
    (entry,) = probe(folder)
    assert entry.problem and "angles.txt" in entry.problem


def test_images_of_other_size(tiff_folder):
    folder = tiff_folder()
    tifffile.imwrite(folder / "projections" / "projection_4.tif", np.ones((3, 3), np.uint16))
    with (
        open_scan(ScanReference(str(folder))) as scan,
        pytest.raises(DataError, match=r"projection_4\.tif has 3 x 3 pixels"),
    ):
        scan.projections(slice(0, 1))


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_broken_image(tiff_folder, content):
    image = (folder := tiff_folder()) / "projections" / "projection_9.tif"
    image.write_bytes(image.read_bytes()[:-20] if content is None else content)
    with pytest.raises(DataError, match=r"projection_9\.tif is (cut short|no readable TIFF)"):
        probe(folder)


@pytest.mark.parametrize(
    ("name", "content"), [("angles.txt", "0\nzero\n"), ("scan.json", "{"), ("scan.json", "[]")]
)
def test_broken_sidecars(tiff_folder, name, content):
    folder = tiff_folder()
    (folder / name).write_text(content)
    with pytest.raises(DataError, match=name):
        probe(folder)
