"""Patterns in column text, and geometry files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import DataError
from tasks.io.pdf.pattern import read_pattern
from tasks.io.powder import Pattern, ScanReference, open_powder
from tasks.io.probe import UnknownLayoutError, probe

ROWS = "".join(f"{1 + 0.1 * at:.2f} {100 + at} {1 + 0.01 * at:.2f}\n" for at in range(20))
PAIRS = "".join(f"{1 + 0.1 * at:.2f} {100 + at}\n" for at in range(20))


@pytest.fixture
def text(tmp_path) -> Callable[..., Path]:
    def write(content: str, name="Ni.xye") -> Path:
        path = tmp_path / name
        path.write_text(content)
        return path

    return write


def test_three_columns_without_a_header_say_no_unit(text, entry_of, opened):
    path = text(ROWS)
    entry = entry_of(path)
    assert (entry.format, entry.kind, entry.needs) == ("powder_pattern", "raw", ())
    pattern = opened(path)
    assert isinstance(pattern, Pattern)
    assert pattern.unit is None
    assert (pattern.x[0], pattern.intensity[-1], pattern.sigma[-1]) == (1.0, 119.0, 1.19)


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("#S 1 nickel\n#L Q I(Q)\n", "q_1/angstrom"),
        ("# 2th_deg  I\n", "tth_deg"),
        ("# 2th_rad  I\n", "tth_rad"),
        ("# --> x.chi\n#       q_nm^-1             I\n", "q_1/nm"),
        ("#    q_A^-1    I\n", "q_1/angstrom"),
        ("Ni.tif\n2-Theta Angle (Degrees)\nIntensity\n       20\n", "tth_deg"),
        ("Ni.tif\nQ (Inverse Nanometres)\nIntensity\n       20\n", "q_1/nm"),
        ("twotheta,intensity\n", "tth_deg"),
        ("[DEFAULT]\ndataformat = twotheta\nwavelength = 0.27\n", "tth_deg"),
        ("[DEFAULT]\ndataformat = QA\n", "q_1/angstrom"),
        ("[DEFAULT]\ndataformat = twotheta\n#### start data\n#L Q(1/A)  F(1/A)\n", "q_1/angstrom"),
        ("# sample: quartz from Quebec\n", None),
        ("", None),
    ],
)
def test_the_header_says_the_unit(text, header, unit):
    pattern = read_pattern(text(header + PAIRS, "Ni.chi"))
    assert pattern.unit == unit
    assert len(pattern.x) == 20


def test_the_header_and_the_sidecar_tell_facts(text, tmp_path):
    path = text(f"# Wavelength: 2.7e-11 m\n# composition = LaB6\n{ROWS}", "standard.dat")
    (tmp_path / "standard.json").write_text(json.dumps({"monitor": 5.0, "kind": "empty"}))
    pattern = read_pattern(path)
    assert pattern.facts.wavelength == pytest.approx(0.27)
    assert (pattern.facts.composition, pattern.facts.kind) == ("LaB6", "empty")
    assert pattern.monitor == 5.0


def test_a_label_says_that_a_third_column_is_no_uncertainty(text):
    assert read_pattern(text(f"# q I monitor\n{ROWS}")).sigma is None
    assert read_pattern(text(f"# q I sigma\n{ROWS}")).sigma is not None


def test_a_falling_axis_is_refused(text):
    backwards = "".join(reversed(PAIRS.splitlines(keepends=True)))
    with pytest.raises(DataError, match="its axis falls, where it must rise"):
        read_pattern(text(backwards))
    with pytest.raises(DataError, match="falls in row 21"):
        read_pattern(text(PAIRS + PAIRS))


def test_a_rounded_axis_is_averaged_with_a_warning(text):
    pattern = read_pattern(text("1 10 3\n1 20 4\n2 30 3\n2 30 4\n3 5 1\n"))
    assert pattern.x.tolist() == [1, 2, 3]
    assert pattern.intensity.tolist() == [15, 30, 5]
    assert pattern.sigma.tolist() == [2.5, 2.5, 1]
    assert "too few digits" in pattern.warnings[0]


def test_few_points_without_a_number_are_left_out_many_refused(text):
    rows = [f"{at} {at + 1}\n" for at in range(200)]
    rows[7] = "7 nan\n"
    pattern = read_pattern(text("".join(rows)))
    assert len(pattern.x) == 199
    assert "row 8" in pattern.warnings[0]
    rows[20:40] = [f"{at} nan\n" for at in range(20, 40)]
    with pytest.raises(DataError, match="21 of its 200 points hold no number"):
        read_pattern(text("".join(rows)))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", r"is empty \(0 bytes\)"),
        ("a pattern will stand here\n", "holds no table"),
        (PAIRS + "2.95 beam\n3.05 120\n", "'beam' where a number belongs"),
        (PAIRS + "2.95 1 2 3\n3.05 120\n", "has 4 columns where the table has 2"),
        ("#L r(A) G(r)\n" + PAIRS, "neither Q nor 2theta"),
    ],
)
def test_what_is_no_pattern_is_refused(text, content, match):
    with pytest.raises(DataError, match=match):
        probe(text(content), technique="pdf")


def test_other_text_is_not_known(text):
    with pytest.raises(UnknownLayoutError):
        probe(text("notes of the night\n", "notes.txt"), technique="pdf")


def test_a_line_that_was_cut_is_left_out(text):
    pattern = read_pattern(text(PAIRS + "3.0"))
    assert len(pattern.x) == 20
    assert "cut short" in pattern.warnings[0]


@pytest.mark.parametrize(
    ("name", "points", "kind", "unit"),
    [
        ("snbl_lab6/LaB6_0p4mm_011_av10_monitor.xye", 8455, "sample", None),
        ("snbl_lab6/0p4mm_capillary_018_av17_monitor.xye", 8455, "container", None),
        ("snbl_lab6/bkg_011_av10_monitor.xye", 8455, "empty", None),
        ("snbl_lab6/capillary.xy", 1348, "container", None),
        ("cmi_ch05/ni.iq", 2587, "sample", "q_1/angstrom"),
        ("snbl_lab6/gui/LaB6_0p4mm_011_av10_monitor.sq", 8214, "sample", "q_1/angstrom"),
    ],
)
def test_real_patterns(real, name, points, kind, unit):
    pattern = read_pattern(real(f"pdf/{name}"))
    assert (len(pattern.x), pattern.facts.kind, pattern.unit) == (points, kind, unit)
    assert (pattern.sigma is not None) == name.endswith(".xye")


def test_a_geometry_file(tmp_path, entry_of):
    path = tmp_path / "lab6.poni"
    path.write_text(
        'poni_version: 2.1\nDetector: Detector\nDetector_config: {"max_shape": [30, 20]}\n'
        "Distance: 0.2\nPoni1: 0.01\nPoni2: 0.02\nRot1: 0\nWavelength: 2e-11\n"
    )
    entry = entry_of(path)
    assert (entry.kind, entry.calibration_kinds, entry.detector) == (
        "calibration",
        ("geometry",),
        "30 x 20",
    )
    assert entry.metadata["wavelength_A"] == pytest.approx(0.2)
    with pytest.raises(DataError, match="geometry of a detector, not data"):
        open_powder(ScanReference(str(path), "", "pyfai_geometry"))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "is empty"),
        ("Distance: 0.2\nPoni1: 0\n", "gives no poni2"),
        ("Distance: near\nPoni1: 0\nPoni2: 0\n", "'near' where its distance belongs"),
        ("Distance: nan\nPoni1: 0\nPoni2: 0\n", "'nan' where its distance belongs"),
    ],
)
def test_a_broken_geometry_is_refused(tmp_path, content, match):
    (tmp_path / "x.poni").write_text(content)
    with pytest.raises(DataError, match=match):
        probe(tmp_path / "x.poni", technique="pdf")


def test_the_real_geometry(real, entry_of):
    entry = entry_of(real("pdf/dioptas_ceo2/CeO2_Pilatus1M.poni"))
    assert entry.metadata["wavelength_A"] == pytest.approx(0.4066)


def test_a_detector_by_name_has_its_size(tmp_path, entry_of):
    words = "Distance: 0.2\nPoni1: 0\nPoni2: 0\nDetector: "
    (tmp_path / "known.poni").write_text(f"poni_version: 2\n{words}Pilatus1M\n")
    assert entry_of(tmp_path / "known.poni").detector == "1043 x 981"
    (tmp_path / "other.poni").write_text(f"poni_version: 2\n{words}Homemade\n")
    assert entry_of(tmp_path / "other.poni").detector == ""
