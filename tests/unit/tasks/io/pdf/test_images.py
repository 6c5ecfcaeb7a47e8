"""Single images and series: what is read, what is told, what is refused."""

import gzip
import json
import shutil

import fabio
import numpy as np
import pytest
import tifffile
from fabio.edfimage import EdfImage

from tasks.errors import DataError
from tasks.io.fingerprint import fingerprint
from tasks.io.powder import ScanReference, open_powder
from tasks.io.probe import UnknownLayoutError, probe

PILATUS = (
    "# Pixel_size 172e-6 m x 172e-6 m\r\n# Exposure_time 3.0 s\r\n# Count_cutoff 1097223 counts"
)


@pytest.mark.parametrize("name", ["Ni.tif", "Ni.cbf", "Ni.edf"])
def test_an_image_is_read_as_it_was_written(image, counts, entry_of, opened, name):
    path = image(name)
    entry = entry_of(path)
    assert (entry.kind, entry.needs, entry.detector) == ("raw", ("geometry",), "30 x 20")
    with opened(path) as frames:
        assert frames.shape == (1, 30, 20)
        assert frames.dtype == np.int32
        np.testing.assert_array_equal(frames.read(), counts()[None])
        assert frames.facts.kind == "sample"


def test_a_gzipped_cbf_is_read(image, counts, opened, tmp_path):
    packed = tmp_path / "Ni.cbf.gz"
    packed.write_bytes(gzip.compress(image("Ni.cbf").read_bytes()))
    np.testing.assert_array_equal(opened(packed).read()[0], counts())


def test_pages_of_a_tiff_are_frames(tmp_path, counts, opened):
    path = tmp_path / "Ni.tif"
    stack = counts(shape=(4, 30, 20), dtype=np.uint16)
    tifffile.imwrite(path, stack, photometric="minisblack")
    np.testing.assert_array_equal(opened(path).read(slice(1, 3)), stack[1:3])


def test_a_folder_holds_one_dataset_for_each_numbered_series(image, counts, opened, tmp_path):
    folder = tmp_path / "night"
    for number in (1, 2, 4):
        image(f"night/Ni_{number:04d}.tif", counts(number))
    image("night/dark_0001.tif")
    image("night/CeO2_calib.tif")
    image("night/flats/f_0001.tif")
    entries = {entry.inner_path: entry for entry in probe(folder, technique="pdf")}
    assert set(entries) == {"Ni", "dark", "CeO2_calib", "flats/f"}
    assert entries["Ni"].present_frames == 3
    kinds = {name: entry.calibration_kinds for name, entry in entries.items()}
    assert kinds == {
        "Ni": (),
        "dark": ("dark",),
        "CeO2_calib": ("calibrant",),
        "flats/f": ("flat",),
    }
    assert entries["CeO2_calib"].metadata["calibrant"] == "CeO2"
    with opened(folder, "Ni") as frames:
        assert frames.lost_frames == (2,)
        assert "lacks frame 2 of the series" in frames.warnings[0]
        np.testing.assert_array_equal(frames.read(slice(2, 3))[0], counts(4))


def test_a_series_named_as_its_folder_needs_no_name(image, tmp_path, entry_of):
    for number in range(3):
        image(f"Ni_300K/Ni_300K_{number:05d}.cbf")
    entry = entry_of(tmp_path / "Ni_300K")
    assert (entry.inner_path, entry.present_frames) == ("", 3)


def test_a_number_in_a_formula_is_no_number_of_a_series(image, tmp_path):
    for name in ("CeO2", "LaB6", "SiO2"):
        image(f"many/{name}.tif")
    assert len(probe(tmp_path / "many", technique="pdf")) == 3


def test_the_fingerprint_of_a_series_is_its_own(image, tmp_path):
    folder = tmp_path / "many"
    image("many/Ni_001.tif")
    before = fingerprint(folder, "Ni")
    image("many/Au_001.tif")
    assert fingerprint(folder, "Ni") == before
    image("many/Ni_002.tif")
    assert fingerprint(folder, "Ni") != before


def test_tomography_folders_are_left_alone(image, tmp_path):
    image("ct/proj_0001.tif")
    (tmp_path / "ct" / "angles.txt").write_text("0\n")
    with pytest.raises(UnknownLayoutError):
        probe(tmp_path / "ct", technique="pdf")


def test_header_and_sidecar_tell_facts_and_the_sidecar_counts(image, opened, entry_of):
    sidecar = {
        "sample": {"name": "nickel", "formula": "Ni", "density": 8.9, "container": "kapton 1 mm"},
        "energy_keV": 66.4,
        "exposure": 5,
        "monitor": [1000.0],
        "transmission": 0.9,
        "uid": "abc",
    }
    path = image("x.tif", header=PILATUS, sidecar=sidecar)
    entry = entry_of(path)
    assert (entry.uid, entry.metadata["sample"]) == ("abc", "nickel")
    assert entry.metadata["energy_keV"] == pytest.approx(66.4)
    assert entry.metadata["pixel_size_m"] == [172e-6, 172e-6]
    frames = opened(path)
    facts = frames.facts
    assert facts.wavelength == pytest.approx(12.39842 / 66.4, rel=1e-5)
    assert (facts.exposure, facts.composition, facts.density) == (5, "Ni", 8.9)
    assert (facts.container, facts.transmission) == ("kapton 1 mm", 0.9)
    assert frames.saturation == 1097223
    assert frames.monitor.tolist() == [1000.0]


def test_a_sidecar_that_brings_the_geometry_leaves_no_need(image, entry_of):
    path = image("x.tif", sidecar={"geometry": {"distance": 0.2}})
    assert entry_of(path).needs == ()
    assert entry_of(path).metadata["geometry"] == {"distance": 0.2}


def test_the_sidecar_of_a_folder_announces_its_frames(image, tmp_path, entry_of):
    for number in range(2):
        image(f"run/run_{number}.tif")
    (tmp_path / "run" / "scan.json").write_text(json.dumps({"frames": 3, "kind": "empty"}))
    entry = entry_of(tmp_path / "run")
    assert (entry.expected_frames, entry.needs_quiet) == (3, False)
    assert entry.calibration_kinds == ("empty",)


def test_an_edf_header_gives_monitor_and_wavelength(image, counts, tmp_path, opened):
    for number in range(3):
        header = {
            "WaveLength": "1.8e-11",
            "counter_mne": "sec mon",
            "counter_pos": f"1 {number + 5}",
        }
        image(f"run/run_{number}.edf", counts(number), header)
    with opened(tmp_path / "run") as frames:
        assert frames.facts.wavelength == pytest.approx(0.18)
        assert frames.monitor.tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("dark_20s", "dark"),
        ("Flat-field", "flat"),
        ("empty_capillary_0001", "container"),
        ("kapton1mm", "container"),
        ("air_0001", "empty"),
        ("Ni_capillary_01", "sample"),
        ("Ni_in_air_300K", "sample"),
        ("0p4mm_capillary_018_av17_monitor", "container"),
        ("flat_plate_Ni", "sample"),
        ("flat_02", "flat"),
        ("bkg_011_av10", "empty"),
        ("my.mask", "mask"),
        ("Si_calibration_01", "calibrant"),
        ("darkroom_glass", "sample"),
        ("CeO2_nano", "sample"),
        ("repair", "sample"),
    ],
)
def test_words_of_a_name_tell_the_kind(image, entry_of, name, kind):
    entry = entry_of(image(f"{name}.tif"))
    assert (entry.calibration_kinds or ("sample",)) == (kind,)
    assert entry.needs == (("geometry",) if kind == "sample" else ())


@pytest.mark.parametrize("name", ["mask.npy", "mask.edf", "beamstop_mask.tif"])
def test_masks_are_images_of_that_kind(image, counts, entry_of, opened, name):
    values = (counts() > 50_000).astype(np.uint8)
    path = image(name, values)
    assert entry_of(path).calibration_kinds == ("mask",)
    np.testing.assert_array_equal(opened(path).read()[0], values)


def test_a_fit2d_mask_is_read(tmp_path, counts, opened):
    from fabio.fit2dmaskimage import Fit2dMaskImage

    values = (counts() > 50_000).astype(np.uint8)
    Fit2dMaskImage(values).write(str(tmp_path / "mask.msk"))
    np.testing.assert_array_equal(opened(tmp_path / "mask.msk").read()[0], values)


def test_pixels_that_the_detector_marks_are_not_valid(image, counts, opened):
    values = counts()
    values[3, 4] = -2
    frames = opened(image("x.cbf", values))
    assert not frames.valid[3, 4]
    assert np.count_nonzero(~frames.valid) == 1


def test_gaps_of_nan_are_not_valid_but_later_nan_are_refused(image, counts, tmp_path, opened):
    first, second = counts(0, dtype=np.float32), counts(1, dtype=np.float32)
    first[:, 5] = second[:, 5] = second[7, 8] = np.nan
    image("run/run_0.tif", first)
    image("run/run_1.tif", second)
    frames = opened(tmp_path / "run")
    assert np.count_nonzero(~frames.valid) == 30
    frames.read(slice(0, 1))
    with pytest.raises(DataError, match=r"run_1.tif .* 1 pixels that are no numbers .* row 7, col"):
        frames.read()


def test_an_image_of_nan_alone_is_refused(image, opened):
    with pytest.raises(DataError, match="no pixel that counts"):
        opened(image("x.tif", np.full((30, 20), np.nan, np.float32)))


def test_two_sizes_in_one_series_are_told(image, counts, tmp_path, entry_of):
    image("run/run_1.tif")
    image("run/run_2.tif", counts(shape=(31, 20)))
    assert "31 x 20 pixels" in entry_of(tmp_path / "run").problem
    frames = open_powder(ScanReference(str(tmp_path / "run")))
    with pytest.raises(DataError, match="another detector setting"):
        frames.read()


@pytest.mark.parametrize("name", ["x.tif", "x.cbf", "x.edf"])
@pytest.mark.parametrize("left", [0, 1, 100, 0.5, 0.98])
def test_truncated_images_are_refused(image, name, left):
    path = image(name)
    content = path.read_bytes()
    path.write_bytes(content[: int(left * len(content)) if isinstance(left, float) else left])
    with pytest.raises(DataError, match=r"empty|cut short|no readable|no TIFF|no CBF"):
        probe(path, technique="pdf")


@pytest.mark.parametrize("name", ["x.tif", "x.cbf", "x.edf"])
def test_images_that_are_cut_after_they_were_opened_are_refused(image, opened, name):
    path = image(name)
    frames = opened(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cut short|no readable"):
        frames.read()


def test_a_truncated_gzip_is_refused(image, tmp_path):
    packed = tmp_path / "Ni.cbf.gz"
    content = gzip.compress(image("Ni.cbf").read_bytes())
    packed.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="cut short"):
        probe(packed, technique="pdf")


def test_a_damaged_cbf_is_told_by_its_sum(image):
    path = image("x.cbf")
    content = bytearray(path.read_bytes())
    content[-120] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="MD5"):
        open_powder(ScanReference(str(path))).read()


def test_random_damage_gives_a_sentence_or_an_image(image):
    generator = np.random.default_rng(0)
    for name in ("x.tif", "x.cbf", "x.edf"):
        path = image(name)
        original = path.read_bytes()
        for place in generator.integers(0, 700, 15):
            path.write_bytes(original[:place] + generator.bytes(8) + original[place + 8 :])
            try:
                open_powder(ScanReference(str(path))).read()
            except DataError as error:
                assert str(error).endswith("."), error


def test_text_in_the_place_of_an_image_is_refused(tmp_path):
    (tmp_path / "x.tif").write_text("no beam\n")
    with pytest.raises(DataError, match="no TIFF image: it begins with b'no beam"):
        probe(tmp_path / "x.tif", technique="pdf")


def test_a_colour_picture_is_refused(image, counts):
    with pytest.raises(DataError, match="no grey image"):
        probe(image("x.tif", counts(shape=(30, 20, 3), dtype=np.uint8)), technique="pdf")


def test_a_sidecar_that_is_no_json_is_told(image):
    path = image("x.tif")
    path.with_suffix(".json").write_text("{")
    with pytest.raises(DataError, match="no readable JSON"):
        probe(path, technique="pdf")


def test_a_monitor_that_does_not_fit_is_not_used(image, opened):
    frames = opened(image("x.tif", sidecar={"monitor": [1, 2, 3]}))
    assert frames.monitor is None
    assert "does not fit" in frames.warnings[0]


def test_a_real_pilatus_image(real, opened, entry_of):
    path = real("pdf/dioptas_ceo2/CeO2_Pilatus1M.tif")
    assert entry_of(path).detector == "1043 x 981"
    frames = opened(path)
    values = fabio.open(str(path)).data
    np.testing.assert_array_equal(frames.read()[0], values)
    assert (frames.saturation, frames.facts.exposure) == (1097223, 3.0)
    np.testing.assert_array_equal(frames.valid, values >= 0)


def test_a_real_pilatus_cbf_series(real, tmp_path, opened):
    source = real("mx/l_cysteine")
    for number in (1, 2):
        shutil.copy(source / f"l-cyst_01_{number:05d}.cbf.gz", tmp_path)
    with opened(tmp_path, "l-cyst_01") as frames:
        assert frames.shape == (2, 1679, 1475)
        assert frames.facts.wavelength == pytest.approx(0.6889)
        assert frames.facts.started_at.isoformat() == "2016-03-05T09:01:45+00:00"
        first = fabio.open(str(source / "l-cyst_01_00001.cbf.gz")).data
        np.testing.assert_array_equal(frames.read(slice(0, 1))[0], first)


def test_an_edf_of_several_frames(tmp_path, counts, opened):
    many = EdfImage(counts(0))
    many.append_frame(data=counts(1))
    many.write(str(tmp_path / "x.edf"))
    np.testing.assert_array_equal(opened(tmp_path / "x.edf").read()[1], counts(1))
