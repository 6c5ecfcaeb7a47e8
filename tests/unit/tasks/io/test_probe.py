"""A hostile corpus: each file ends in a sentence of a `DataError`, never in another exception."""

import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tasks.errors import DataError, StillBeingWritten
from tasks.io.probe import UnknownLayoutError, probe
from tasks.io.scan import ScanReference, open_scan


@pytest.mark.parametrize("cut", [0, 4, 8, 30, 48, 96, 500, 2000, 4000, -1])
def test_cut_at_many_places(dxchange, cut):
    path = dxchange()
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError) as error:
        probe(path)
    assert str(path) in str(error.value)
    assert "Copy it again" in str(error.value) or "empty" in str(error.value) or cut == 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty (0 bytes)"),
        (b"scan aborted\n", "begins with the text 'scan aborted'"),
        (b"\x00\x01\x02\x03" * 300, "begins with the bytes 00 01 02 03"),
    ],
)
def test_not_hdf5(tmp_path, content, words):
    path = tmp_path / "scan.h5"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        probe(path)
    assert words in str(error.value)


def test_bytes_turned_over(dxchange):
    """Whatever bytes are damaged, the answer is an entry or a sentence."""
    original = dxchange().read_bytes()
    path = dxchange("damaged.h5")
    generator = np.random.default_rng(0)
    for place in generator.integers(8, len(original), 60):
        path.write_bytes(original[:place] + generator.bytes(16) + original[place + 16 :])
        _look_and_read(path)


def _look_and_read(path: Path) -> None:
    try:
        for entry in probe(path):
            if entry.kind == "raw" and not entry.problem and not entry.missing:
                with open_scan(ScanReference(str(path), entry.inner_path, entry.format)) as scan:
                    scan.projections(slice(0, 2))
                    scan.flats(slice(0, 2))
    except DataError as error:
        assert str(error).endswith(".")


def test_unknown_layout(tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["spectrum"] = [1, 2]
    with pytest.raises(
        UnknownLayoutError, match=r"it holds spectrum, but neither '/exchange/data'"
    ):
        probe(path)


def test_not_there(tmp_path):
    with pytest.raises(DataError, match="is not there"):
        probe(tmp_path / "gone.h5")
    with pytest.raises(DataError):
        open_scan(ScanReference(str(tmp_path / "gone.h5"), format="dxchange"))


def test_empty_folder(tmp_path):
    with pytest.raises(UnknownLayoutError, match="folder without projections"):
        probe(tmp_path)


def test_links_in_a_circle(tmp_path):
    path = tmp_path / "circle.h5"
    with h5py.File(path, "w") as file:
        file["exchange/data"] = h5py.SoftLink("/exchange/again")
        file["exchange/again"] = h5py.SoftLink("/exchange/data")
    with pytest.raises(DataError, match="links that lead in a circle"):
        probe(path)


def test_external_links_in_a_circle(tmp_path):
    for name, other in (("a.h5", "b.h5"), ("b.h5", "a.h5")):
        with h5py.File(tmp_path / name, "w") as file:
            file["exchange/data"] = h5py.ExternalLink(other, "/exchange/data")
    with pytest.raises(DataError, match="links that lead in a circle"):
        probe(tmp_path / "a.h5")


def test_group_that_holds_itself(tmp_path):
    path = tmp_path / "self.nxs"
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["entry"] = entry
    with pytest.raises(UnknownLayoutError):
        probe(path)


def test_damaged_link_target_is_named(dxchange, tmp_path):
    (tmp_path / "frames.h5").write_bytes(b"nothing")
    path = dxchange("master.h5", exchange__data=h5py.ExternalLink("frames.h5", "exchange/data"))
    with pytest.raises(DataError, match=r"frames\.h5 is not an HDF5 file"):
        probe(path)


def test_dangling_soft_link(dxchange):
    (entry,) = probe(dxchange(exchange__data=h5py.SoftLink("/nowhere")))
    assert entry.problem and "holds no projections" in entry.problem


@pytest.mark.parametrize("name", ["扫描 1.h5", "a b.h5", "ü%20.h5", "scan'\".h5"])
def test_names_in_any_language(dxchange, name):
    path = dxchange(name)
    (entry,) = probe(path)
    assert entry.has_all_frames
    path.write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        probe(path)


def test_writer_holds_the_file(held_file):
    with held_file("plain") as path, pytest.raises(StillBeingWritten, match="still held"):
        probe(path)
    assert probe(path)[0].present_frames == 3, "the writer has closed it"


def test_growth_under_a_swmr_writer(held_file):
    with held_file("swmr", 3) as path:
        (entry,) = probe(path)
        assert (entry.present_frames, entry.expected_frames) == (3, 10)
        assert entry.being_written
    assert not probe(path)[0].being_written


def test_reader_never_stops_the_writer(dxchange):
    append = "import h5py, sys; h5py.File(sys.argv[1], 'r+').close()"
    with open_scan(ScanReference(str(dxchange()))) as scan:
        # a lock held by the reader would make this fail
        subprocess.run([sys.executable, "-c", append, scan.reference.path], check=True)


def test_read_only_folder(dxchange, tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    path = shutil.move(dxchange(), folder)
    Path(path).chmod(0o444)
    folder.chmod(0o555)
    try:
        assert probe(Path(path))[0].has_all_frames
        with open_scan(ScanReference(str(path))) as scan:
            assert scan.projections(slice(0, 1)).shape == (10, 1, 8)
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("value", [np.nan, b"text", [], "一"])
def test_odd_metadata_does_no_harm(dxchange, value):
    path = dxchange(
        measurement__sample__name=value,
        measurement__instrument__monochromator__energy=value,
        measurement__instrument__detector__pixel_size=value,
        process__acquisition__start_date=value,
    )
    (entry,) = probe(path)
    assert entry.problem is None
    assert "pixel_size_m" not in entry.metadata
    assert entry.started_at is None
