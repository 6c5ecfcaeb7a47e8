import os

import pytest

from triggers.grouping import group
from triggers.scan_folder import signature, walk


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("scan.h5", "scan.h5"),
        ("p1/深い/scan 2.nxs", "p1/深い/scan 2.nxs"),
        ("notes.txt", None),
        (".scan.h5.tmp", None),
        (".hidden/scan.h5", None),
        ("series/img_1.tif", "series"),
        ("series/projections/img_1.tif", "series"),
        ("series/flats_after/img_1.tiff", "series"),
        ("series/angles.txt", "series"),
        ("series/scan.json", "series"),
        ("dark_chocolate/img_1.tif", "dark_chocolate"),
        ("loose.tif", None),
        ("flats/loose.tif", None),
        ("angles.txt", None),
    ],
)
def test_files_and_what_they_belong_to(beamline, raw, path, found):
    assert group(beamline, raw / path) == (raw / found if found else None)


def test_folder_grouping_leaves_files_out(make_beamline, raw):
    beamline = make_beamline(grouping="folder")
    assert group(beamline, raw / "scan.h5") is None
    assert group(beamline, raw / "series/img.tif") == raw / "series"


@pytest.mark.parametrize(
    ("grouping", "path", "found"),
    [
        ("entry", "loose.tif", "loose.tif"),
        ("entry", "day/Ni_0001.cbf.gz", "day"),
        ("entry", "day/Ni_0001.edf", "day"),
        ("entry", "day/dark/d_0001.tif", "day"),
        ("entry", "dark/d_0001.tif", "dark"),
        ("entry", "day/scan.json", "day"),
        ("entry", "scan.json", None),
        ("file", "day/Ni_0001.tif", "day/Ni_0001.tif"),
        ("file", "day/scan.json", None),
        ("folder", "day/Ni_0001.tif", "day"),
        ("folder", "Ni.xye", None),
    ],
)
def test_an_image_may_be_all_there_is_but_for_tomography(make_beamline, raw, grouping, path, found):
    beamline = make_beamline(technique="pdf", grouping=grouping)
    assert group(beamline, raw / path) == (raw / found if found else None)


def test_outside(beamline, tmp_path):
    assert group(beamline, tmp_path / "scan.h5") is None


def test_walk_yields_each_once(beamline, raw):
    for name in ("a.h5", "s/projections/1.tif", "s/projections/2.tif", "s/angles.txt", ".x/b.h5"):
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).touch()
    assert sorted(walk(beamline)) == [raw / "a.h5", raw / "s"]


def test_signature_of_a_series(raw):
    for name in ("s/projections/1.tif", "s/angles.txt", "s/notes.txt"):
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_text("12345")
    before = signature(raw / "s")
    assert (before.size, before.count) == (10, 2)
    (raw / "s/projections/2.tif").touch()
    assert signature(raw / "s") != before
    assert signature(raw / "gone") is None


def test_pipes_are_left_alone(raw):
    os.mkfifo(raw / "pipe.h5")
    assert signature(raw / "pipe.h5") is None
