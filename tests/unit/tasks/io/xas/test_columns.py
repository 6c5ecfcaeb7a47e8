import re

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.fingerprint import fingerprint
from tasks.io.probe import UnknownLayoutError, probe

HC = 12398.419843


def rows(path, columns):
    """The table of a file, read without the reader: rows of so many numbers."""
    found = []
    for line in path.read_text("latin-1").splitlines():
        try:
            row = [float(word) for word in line.replace(",", " ").split()]
        except ValueError:
            continue
        if len(row) == columns:
            found.append(row)
    return np.array(found)


@pytest.mark.parametrize(
    ("name", "columns", "at", "mode"),
    [
        ("APS10BM_2019", 5, {"energy": 0, "i0": 1, "i1": 2, "i2": 3}, None),
        ("APS13ID_2019", 21, {"energy": 0, "i0": 2, "i1": 3}, None),
        ("APS20ID_2022", 26, {"energy": 0, "i0": 6, "i1": 7, "i2": 8, "count_time": 1}, None),
        ("CLSHXMA", 11, {"energy": 2, "i0": 5, "i1": 6, "i2": 7}, None),
        ("NSLS6BM_2019", 23, {"energy": 0, "i0": 4, "i1": 5, "i2": 6, "count_time": 2}, None),
        ("SLS_PHOENIX_2023", 55, {"energy": 0, "i0": 3, "i1": 5}, None),
    ],
)
def test_channels_stand_where_the_labels_say(real, opened, name, columns, at, mode):
    path = real(f"beamline_ascii/{name}.dat")
    table = rows(path, columns)
    with opened(path) as spectra:
        raw = spectra.read()
        assert spectra.shape == (1, len(table)) and spectra.facts.mode == mode
        assert not spectra.is_stream and spectra.warnings == ()
    for channel in ("energy", "i0", "i1", "i2", "count_time"):
        values = getattr(raw, channel)
        if channel in at:
            assert np.array_equal(values[0], table[:, at[channel]]), channel
    assert raw.i2 is None or "i2" in at


@pytest.mark.parametrize(
    ("name", "columns", "counted"),
    [
        ("APS10BM_2019", 5, [4]),
        ("APS13ID_2019", 21, [5, 6, 7, 8]),
        ("APS20ID_2022", 26, [18, 19, 20, 21]),
        ("CLSHXMA", 11, [4]),
        ("NSLS6BM_2019", 23, [7, 8, 9, 10]),
        ("SLS_PHOENIX_2023", 55, [12, 14, 16, 18]),  # aluminium, for magnesium has no edge there
    ],
)
def test_fluorescence_channels(real, raw, name, columns, counted):
    path = real(f"beamline_ascii/{name}.dat")
    found = raw(path)
    assert np.array_equal(found.fluorescence[:, 0], rows(path, columns)[:, counted].T)


def test_rates_for_the_dead_time(real, raw):
    """APS 13-ID gives output counts and a factor that input rates are larger by."""
    path = real("beamline_ascii/APS13ID_2019.dat")
    table, found = rows(path, 21), raw(path)
    assert np.array_equal(found.output_rate[:, 0], table[:, 9:13].T)
    np.testing.assert_allclose(found.input_rate[:, 0], (table[:, 9:13] * table[:, 17:21]).T)


def test_gains(real, raw):
    assert raw(real("beamline_ascii/APS10BM_2019.dat")).gain == {"i0": 1e8, "i1": 1e8, "i2": 1e10}
    assert raw(real("beamline_ascii/APS20ID_2022.dat")).gain == pytest.approx(
        {"i0": 1e8, "i1": 5e6, "i2": 2e8}
    )
    assert raw(real("beamline_ascii/SLS_PHOENIX_2023.dat")).gain == {"i0": 1e7, "i1": 1e7}


def test_angles_and_dark_counts_of_the_photon_factory(real, opened):
    path = real("beamline_ascii/PFBL12C_2005.dat")
    table = rows(path, 5)
    with opened(path) as spectra:
        raw = spectra.read()
        assert spectra.facts.mode == "transmission" and spectra.facts.d_spacing == 3.13551
        assert spectra.metadata["started_at"] == "2007-05-12T23:28:00+00:00"
        (warning,) = spectra.warnings
    assert "0.0109 degree (16.7 eV)" in warning
    energy = HC / (2 * 3.13551 * np.sin(np.deg2rad(table[:, 0])))
    np.testing.assert_allclose(raw.energy[0], energy, rtol=1e-12)
    # the planned block ends at 13260 eV; the header's offsets are dark counts per second
    assert raw.energy[0, -1] == pytest.approx(13260, abs=0.2)
    np.testing.assert_allclose(raw.i0[0], table[:, 3] / table[:, 2])
    assert raw.dark == {"i0": 826.15, "i1": 652.975}


def test_dark_counts_of_fluorescence_are_off(real, opened):
    path = real("beamline_ascii/PF9A_2022.dat")
    table = rows(path, 5)
    with opened(path) as spectra:
        raw = spectra.read()
        assert spectra.facts.mode == "fluorescence" and spectra.warnings == ()
    np.testing.assert_allclose(raw.fluorescence[0, 0], table[:, 4] / table[:, 2] - 7157.1)
    (entry,) = probe(path, technique="xas")
    assert (entry.present_frames, entry.expected_frames) == (1426, 1426)


def test_achieved_energies_of_ssrl(real, opened):
    path = real("beamline_ascii/SSRL1_2006.dat")
    table = rows(path, 6)[2:]  # below weights and offsets
    with opened(path) as spectra:
        raw = spectra.read()
        assert spectra.metadata["title"].startswith("Ag:Cys 1:2 solid")
    for column, channel in enumerate(("count_time", "", "energy", "i0", "i1", "i2")):
        if channel:
            assert np.array_equal(getattr(raw, channel)[0], table[:, column]), channel
    assert raw.dark == {}, "the offsets are off already: counts plus offsets are whole numbers"
    (entry,) = probe(path, technique="xas")
    assert entry.expected_frames == 455 and entry.needs_quiet


def test_scans_of_spec_in_kiloelectronvolts(real, raw):
    path = real("beamline_ascii/ESRF_SNBL_2013.dat")
    entries = probe(path, technique="xas")
    assert [(each.inner_path, each.present_frames) for each in entries] == [("1", 456), ("2", 906)]
    assert entries[0].started_at.isoformat() == "2013-06-28T13:44:15+00:00"
    table = rows(path, 18)[:456]
    found = raw(path, "1")
    np.testing.assert_allclose(found.energy[0], table[:, 15] * 1000)
    for channel, column in {"i0": 0, "i1": 7, "i2": 9}.items():
        assert np.array_equal(getattr(found, channel)[0], table[:, column])
    assert found.fluorescence is None, "no count in it"


def write(path, header, count=6, columns=3):
    lines = [
        " ".join(str(7000.0 + at + column) for column in range(columns)) for at in range(count)
    ]
    path.write_text(header + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("header", "channel"),
    [
        ("# energy i0 itrans\n", "i1"),
        ("Energy(eV), I0, I1\n", "i1"),
        ('"E" "Io" "It"\n', "i1"),
        ("% Mono Energy\tI0\tIref\n", "i2"),
        ("# e I0 If\n", "fluorescence"),
        ("; achieved_energy i0 ifluor_1\n", "fluorescence"),
    ],
)
def test_label_lines(tmp_path, raw, header, channel):
    found = raw(write(tmp_path / "a.dat", f"taken on a Monday\n{header}"))
    assert np.array_equal(found.energy[0], 7000.0 + np.arange(6))
    assert np.array_equal(found.i0[0], 7001.0 + np.arange(6))
    assert getattr(found, channel) is not None


def test_refused_with_the_labels_seen(tmp_path):
    path = write(tmp_path / "a.dat", "# position i0 itrans\n")
    with pytest.raises(DataError) as error:
        probe(path, technique="xas")
    assert "The labels are 'position', 'i0', 'itrans'" in str(error.value)
    assert "Label the columns so in the line above the table." in str(error.value)
    with pytest.raises(DataError, match="The labels are none"):
        probe(write(tmp_path / "b.dat", ""), technique="xas")


def test_an_angle_without_d_spacing_is_refused_and_with_it_read(tmp_path, raw):
    path = write(tmp_path / "a.dat", "# angle i0 itrans\n")
    with pytest.raises(DataError, match="not the d-spacing of its crystal"):
        probe(path, technique="xas")
    lines = [f"{13.0 - at / 100} 100 {50 + at}" for at in range(6)]
    path.write_text("# Mono: Si(111)\n# angle i0 itrans\n" + "\n".join(lines))
    with pytest.raises(DataError, match="same number in every row"):
        probe(path, technique="xas")
    path.write_text(path.read_text().replace(" 100 ", " 100.5 ", 1))
    expected = HC / (2 * 3.1356 * np.sin(np.deg2rad(13)))
    assert raw(path).energy[0, 0] == pytest.approx(expected, rel=1e-5)


def test_half_a_line_at_the_end_is_left_out(tmp_path, opened):
    path = write(tmp_path / "a.dat", "# energy i0 itrans\n")
    path.write_text(path.read_text() + "7006.0 70")
    with opened(path) as spectra:
        assert spectra.shape == (1, 6) and "is cut short" in spectra.warnings[0]


@pytest.mark.parametrize(
    ("row", "words"),
    [("7003 1", "line 5 has 2 columns"), ("7003 1 beam-dump", "line 5 has 'beam-dump'")],
)
def test_broken_rows(tmp_path, row, words):
    path = write(tmp_path / "a.dat", "# energy i0 itrans\n")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], row, *lines[4:]]))
    with pytest.raises(DataError, match=words):
        probe(path, technique="xas")


def test_a_missing_number_is_left_out_and_many_are_too_many(tmp_path, opened):
    path = write(tmp_path / "a.dat", "# energy i0 itrans\n", count=200)
    path.write_text(path.read_text().replace("7050.0 7051.0", "7050.0 nan", 1))
    with opened(path) as spectra:
        assert spectra.shape == (1, 199) and "1 points have no number" in spectra.warnings[0]
    path.write_text(re.sub(r" 71\d\d\.0", " nan", path.read_text()))
    with pytest.raises(DataError, match="points have no number in one of the columns"):
        probe(path, technique="xas")


@pytest.mark.parametrize("content", ["just words\n", "1 2\n", "a: 1\nb: 2\nc: 3\nd: 4\n"])
def test_texts_without_a_table_are_of_another_kind(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_text(content)
    with pytest.raises(UnknownLayoutError, match="file of another kind"):
        probe(path, technique="xas")


@pytest.mark.parametrize("name", ["a.dat", "a.prj", "a.xdi", "a.qex", "a.h5"])
def test_empty_files(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        probe(tmp_path / name, technique="xas")


def test_an_amplifier_switched_during_the_scan(tmp_path, opened):
    lines = [
        f"{7000 + at} {10.0 ** (at > 3) * (at + 1)} {7 + (at > 3)} {at + 1}" for at in range(8)
    ]
    path = tmp_path / "a.dat"
    path.write_text("# energy  I0_AMP1  AMP1_GAIN  itrans\n" + "\n".join(lines))
    with opened(path) as spectra:
        raw = spectra.read()
        assert "the gain of i0 was changed during the scan" in spectra.warnings[0]
    np.testing.assert_allclose(raw.i0[0], np.arange(1, 9))
    assert raw.gain == {"i0": 1e7}


def test_a_scan_appended_to_a_spec_file_leaves_the_others(real, tmp_path):
    text = real("beamline_ascii/ESRF_SNBL_2013.dat").read_text()
    first, second = text.split("\n#S 2")
    path = tmp_path / "a.dat"
    path.write_text(first)
    (entry,) = probe(path, technique="xas")
    before = fingerprint(path, entry.inner_path)
    path.write_text(f"{first}\n#S 2{second}")
    assert [each.inner_path for each in probe(path, technique="xas")] == ["1", "2"]
    assert fingerprint(path, "1") == before
    assert fingerprint(path, "2") != before
    path.write_text(path.read_text().replace("11131", "11132", 1))
    assert fingerprint(path, "1") != before
