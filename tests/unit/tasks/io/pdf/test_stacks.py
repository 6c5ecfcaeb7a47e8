"""Stacks of images in HDF5: master files, NeXus entries, virtual datasets, masks."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tasks.errors import DataError, StillBeingWritten
from tasks.io.powder import ScanReference, open_powder
from tasks.io.probe import UnknownLayoutError, probe

STACK = np.random.default_rng(1).integers(0, 900, (5, 30, 20)).astype(np.uint32)
DETECTOR = "instrument/detector"


def group(parent, name: str, nx_class: str):
    made = parent.require_group(name)
    made.attrs["NX_class"] = nx_class
    return made


@pytest.fixture
def nexus(tmp_path) -> Callable[..., Path]:
    """Write an entry with a stack; keywords add or replace datasets, None leaves them out."""

    def write(name="scan.h5", data=STACK, sample_type="sample", **more) -> Path:
        path = tmp_path / name
        values = {
            f"{DETECTOR}/data": data,
            f"{DETECTOR}/count_time": 0.5,
            f"{DETECTOR}/detectorSpecific/nimages": len(STACK),
            f"{DETECTOR}/saturation_value": 800,
            "instrument/beam/incident_wavelength": 0.2,
            "start_time": "2026-01-02T03:04:05Z",
            "sample/name": "nickel",
            "sample/type": sample_type,
            "sample/chemical_formula": "Ni",
        } | {key.replace("__", "/"): value for key, value in more.items()}
        with h5py.File(path, "w") as file:
            entry = group(file, "entry", "NXentry")
            group(entry, "instrument", "NXinstrument")
            group(entry, DETECTOR, "NXdetector")
            for place, value in values.items():
                if value is not None:
                    entry[place] = value
        return path

    return write


def test_a_stack_is_read_with_what_the_file_says(nexus, entry_of, opened):
    mask = np.zeros((30, 20), np.uint32)
    mask[2, 3] = 1
    path = nexus(instrument__detector__pixel_mask=mask)
    with h5py.File(path, "r+") as file:
        group(file["entry"], "monitor", "NXmonitor")["data"] = np.arange(1.0, 6.0)
    entry = entry_of(path)
    assert (entry.inner_path, entry.kind, entry.needs) == ("entry", "raw", ("geometry",))
    assert (entry.expected_frames, entry.present_frames, entry.needs_quiet) == (5, 5, False)
    with opened(path) as frames:
        np.testing.assert_array_equal(frames.read(slice(1, 4)), STACK[1:4])
        assert frames.facts.wavelength == pytest.approx(0.2)
        assert (frames.facts.composition, frames.facts.exposure) == ("Ni", 0.5)
        assert frames.saturation == 800
        assert np.argwhere(~frames.valid).tolist() == [[2, 3]]
        assert frames.monitor.tolist() == [1, 2, 3, 4, 5]
        assert frames.warnings == ()


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("can", "container"),
        ("dark", "dark"),
        ("none", "empty"),
        ("calibration sample", "calibrant"),
    ],
)
def test_the_type_of_the_sample_tells_the_kind(nexus, entry_of, told, kind):
    entry = entry_of(nexus(sample_type=told, sample__name="CeO2"))
    assert (entry.kind, entry.calibration_kinds, entry.needs) == ("calibration", (kind,), ())
    assert entry.metadata.get("calibrant") == ("CeO2" if kind == "calibrant" else None)


def test_image_keys_tell_darks_and_are_left_out_of_a_scan(nexus, entry_of, opened):
    name = "instrument__detector__image_key"
    assert entry_of(nexus(**{name: [2] * 5})).calibration_kinds == ("dark",)
    with opened(nexus(**{name: [2, 0, 0, 0, 1]})) as frames:
        np.testing.assert_array_equal(frames.read(), STACK[1:4])
        assert "2 frames that image_key marks" in frames.warnings[0]


def test_a_master_file_with_data_files(nexus, tmp_path, opened, entry_of):
    path = nexus("Ni_master.h5", data=None)
    for number, part in ((1, STACK[:3]), (2, STACK[3:])):
        with h5py.File(tmp_path / f"Ni_data_{number:06d}.h5", "w") as file:
            file["entry/data/data"] = part
        with h5py.File(path, "r+") as file:
            link = h5py.ExternalLink(f"Ni_data_{number:06d}.h5", "entry/data/data")
            file[f"entry/data/data_{number:06d}"] = link
    entry = entry_of(path)
    assert (entry.present_frames, len(entry.linked), entry.missing) == (5, 2, ())
    with opened(path) as frames:
        np.testing.assert_array_equal(frames.read(slice(2, 4)), STACK[2:4])
    (tmp_path / "Ni_data_000002.h5").unlink()
    entry = entry_of(path)
    assert entry.missing == (tmp_path / "Ni_data_000002.h5",)
    assert entry.problem is None
    with pytest.raises(DataError, match=r"links to files that are not there: .*Ni_data_000002"):
        open_powder(ScanReference(str(path), "entry", "powder_hdf5"))


def test_a_virtual_dataset_names_its_missing_source(nexus, tmp_path, opened, entry_of):
    source = tmp_path / "frames.h5"
    with h5py.File(source, "w") as file:
        file["data"] = STACK
    path = nexus(data=None)
    layout = h5py.VirtualLayout(STACK.shape, STACK.dtype)
    layout[:] = h5py.VirtualSource("frames.h5", "data", STACK.shape)
    with h5py.File(path, "r+") as file:
        file[f"entry/{DETECTOR}"].create_virtual_dataset("data", layout)
    with opened(path) as frames:
        np.testing.assert_array_equal(frames.read(), STACK)
    source.unlink()
    assert entry_of(path).missing == (source,)


def test_lost_frames_are_told(nexus, opened):
    with opened(nexus(data=STACK[:3])) as frames:
        assert frames.lost_frames == (3, 4)
        assert "3 of 5 announced" in frames.warnings[0]


def test_several_entries_are_several_datasets(nexus):
    path = nexus()
    with h5py.File(path, "r+") as file:
        file.copy("entry", "second")
    assert [entry.inner_path for entry in probe(path, technique="pdf")] == ["entry", "second"]


def test_a_mask_in_hdf5(tmp_path, entry_of, opened):
    with h5py.File(tmp_path / "mask.h5", "w") as file:
        file["mask"] = STACK[0] > 500
    assert entry_of(tmp_path / "mask.h5").calibration_kinds == ("mask",)
    with opened(tmp_path / "mask.h5") as frames:
        np.testing.assert_array_equal(frames.read()[0], STACK[0] > 500)


def test_a_pixel_mask_of_another_size_is_not_used(nexus, opened):
    with opened(nexus(instrument__detector__pixel_mask=np.zeros((3, 3)))) as frames:
        assert frames.valid is None
        assert "pixel_mask has 3 x 3" in frames.warnings[0]


def test_nan_in_a_later_frame_is_refused(nexus, opened):
    values = STACK.astype(np.float32)
    values[3, 1, 2] = np.nan
    with (
        opened(nexus(data=values)) as frames,
        pytest.raises(DataError, match=r"frame 3, has 1 pixels .* row 1, column 2"),
    ):
        frames.read()


def test_an_empty_stack_is_a_problem(nexus, entry_of):
    assert "holds no frames" in entry_of(nexus(data=STACK[:0])).problem


def test_other_hdf5_is_not_known(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["something"] = np.arange(5)
    with pytest.raises(UnknownLayoutError, match="an NXentry with images"):
        probe(tmp_path / "x.h5", technique="pdf")


def test_damage_gives_a_sentence(nexus):
    path = nexus()
    original = path.read_bytes()
    generator = np.random.default_rng(0)
    tries = [original[:cut] for cut in (0, 8, 500, len(original) - 10)]
    for place in generator.integers(8, len(original), 20):
        tries.append(original[:place] + generator.bytes(16) + original[place + 16 :])
    for content in tries:
        path.write_bytes(content)
        try:
            for entry in probe(path, technique="pdf"):
                if not entry.problem:
                    with open_powder(
                        ScanReference(str(path), entry.inner_path, entry.format)
                    ) as frames:
                        frames.read()
        except StillBeingWritten:
            continue
        except DataError as error:
            assert str(error).endswith("."), error
