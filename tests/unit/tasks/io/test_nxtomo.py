import h5py
import numpy as np
import pytest

from tasks.io.probe import probe
from tasks.io.scan import ScanReference, open_scan


def test_image_key_sorts_the_frames(nxtomo):
    path = nxtomo()
    (entry,) = probe(path)
    assert (entry.inner_path, entry.present_frames, entry.expected_frames) == ("entry", 14, 14)
    assert entry.needs == () and entry.problem is None
    with open_scan(ScanReference(str(path))) as scan:
        assert scan.shape == (10, 6, 8)
        assert scan.projections(slice(0, 1))[:, 0, 0].tolist() == list(range(3, 13))
        assert scan.flats(slice(0, 1))[:, 0, 0].tolist() == [2, 13]
        assert scan.darks(slice(0, 1))[:, 0, 0].tolist() == [0, 1]
        assert scan.flat_positions.tolist() == [0, 1]
        assert np.rad2deg(scan.angles[:3]) == pytest.approx([0, 18, 36])


@pytest.mark.parametrize("inner", ["entry1/tomo_entry", "scan_7"])
def test_entry_at_any_level(nxtomo, inner):
    path = nxtomo(entry=inner)
    (entry,) = probe(path)
    assert entry.inner_path == inner
    with open_scan(ScanReference(str(path), inner)) as scan:
        assert scan.shape[0] == 10


def test_several_entries(nxtomo):
    nxtomo(entry="entry1", entry_identifier_uuid="a")
    path = nxtomo(entry="entry2", projections=5, entry_identifier_uuid="b")
    entries = probe(path)
    assert [(entry.inner_path, entry.uid) for entry in entries] == [
        ("entry1", "a"),
        ("entry2", "b"),
    ]
    with open_scan(ScanReference(str(path), "entry2", "nxtomo")) as scan:
        assert scan.shape[0] == 5


def test_one_broken_entry_leaves_the_others(nxtomo):
    nxtomo(entry="good")
    path = nxtomo(entry="bad", sample__rotation_angle=None)
    problems = {entry.inner_path: entry.problem for entry in probe(path)}
    assert problems["good"] is None
    assert "gives no angles" in problems["bad"]


@pytest.mark.parametrize(
    ("identifier", "uid"),
    [("4711", None), ("be9cde04-15c4-46c2-b5c8-08d6155f679d",) * 2],
)
def test_a_scan_number_is_no_uid(nxtomo, identifier, uid):
    (entry,) = probe(nxtomo(entry_identifier=identifier))
    assert entry.uid == uid


def test_invalid_frames_are_lost(nxtomo):
    keys = np.array([2, 2, 1, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1])
    with open_scan(ScanReference(str(nxtomo(instrument__detector__image_key=keys)))) as scan:
        assert scan.shape[0] == 9
        assert scan.lost_frames == (2,)
        assert scan.projections(slice(0, 1))[:, 0, 0].tolist() == [3, 4, 6, 7, 8, 9, 10, 11, 12]


def test_frame_numbers(nxtomo):
    present = np.setdiff1d(np.arange(14), [5])
    path = nxtomo(
        instrument__detector__data=np.ones((13, 6, 8), np.uint16),
        instrument__detector__frame_number=present,
    )
    (entry,) = probe(path)
    assert (entry.present_frames, entry.expected_frames) == (13, 14)
    with open_scan(ScanReference(str(path))) as scan:
        assert (scan.lost_frames, scan.angles_matched) == ((2,), True)
        assert np.rad2deg(scan.angles[:3]) == pytest.approx([0, 18, 54])
        assert scan.n_flats == 2


def test_gap_in_even_angles(nxtomo):
    keys = np.array([2, 1] + [0] * 9)
    angles = np.array([0, 0, 0, 1, 2, 3, 5, 6, 7, 8, 9.0])
    path = nxtomo(
        instrument__detector__data=np.ones((11, 6, 8), np.uint16),
        instrument__detector__image_key=keys,
        sample__rotation_angle=angles,
    )
    with open_scan(ScanReference(str(path))) as scan:
        assert (scan.lost_frames, scan.expected_projections) == ((4,), 10)


def test_calibration(nxtomo):
    keys = np.array([2] * 7 + [1] * 7)
    path = nxtomo(instrument__detector__image_key=keys)
    (entry,) = probe(path)
    assert (entry.kind, entry.calibration_kinds) == ("calibration", ("dark", "flat"))
    with open_scan(ScanReference(str(path))) as scan:
        assert (scan.n_flats, scan.n_darks, scan.shape[0]) == (7, 7, 0)


def test_too_few_keys(nxtomo):
    (entry,) = probe(nxtomo(instrument__detector__image_key=[0, 0], sample__rotation_angle=[0, 1]))
    assert entry.problem and "only 2 values in 'image_key'" in entry.problem


def test_links(nxtomo, tmp_path):
    with h5py.File(tmp_path / "frames.hdf", "w") as file:
        file["frames"] = np.ones((14, 6, 8), np.uint16)
    link = h5py.ExternalLink("/acquisition/disk/frames.hdf", "/frames")
    path = nxtomo(instrument__detector__data=link, data__data=h5py.SoftLink("/entry/instrument"))
    (entry,) = probe(path)
    assert entry.linked == (tmp_path / "frames.hdf",), "found beside the file that links to it"
    assert entry.has_all_frames
    (tmp_path / "frames.hdf").unlink()
    (entry,) = probe(path)
    assert entry.missing == (tmp_path / "frames.hdf",)
    assert entry.needs == (), "the keys tell that flats and darks will come"


def test_virtual_dataset_names_its_sources(nxtomo, tmp_path):
    for number in range(2):
        with h5py.File(tmp_path / f"part{number}.h5", "w") as file:
            file["frames"] = np.full((7, 6, 8), number, np.uint16)
    layout = h5py.VirtualLayout((14, 6, 8), "u2")
    for number in range(2):
        source = h5py.VirtualSource(f"part{number}.h5", "frames", (7, 6, 8))
        layout[7 * number : 7 * number + 7] = source
    path = nxtomo(instrument__detector__data=None)
    with h5py.File(path, "r+") as file:
        file["entry/instrument/detector"].create_virtual_dataset("data", layout)
    (entry,) = probe(path)
    assert entry.linked == (tmp_path / "part0.h5", tmp_path / "part1.h5")
    (tmp_path / "part1.h5").unlink()
    (entry,) = probe(path)
    assert entry.missing == (tmp_path / "part1.h5",), "HDF5 itself would read zeros"


def test_pixel_size_with_magnification(nxtomo):
    path = nxtomo(instrument__detector__x_pixel_size=6.5e-6, instrument__detector__magnification=5)
    with open_scan(ScanReference(str(path))) as scan:
        assert scan.pixel_size == pytest.approx(1.3e-6)


def test_keys_that_grow_with_the_frames_announce_nothing(nxtomo):
    path = nxtomo(instrument__detector__image_key=None)
    assert probe(path)[0].needs_quiet
    with h5py.File(path, "r+") as file:
        keys = {"data": [0] * 14, "maxshape": (None,)}
        file.create_dataset("entry/instrument/detector/image_key", **keys)
    assert probe(path)[0].needs_quiet
    assert not probe(nxtomo("other.nxs"))[0].needs_quiet
