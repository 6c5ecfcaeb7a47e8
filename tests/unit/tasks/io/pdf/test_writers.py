"""What is written is what other programs and we ourselves read back."""

import io

import h5py
import numpy as np
import pytest

from tasks.io.nxazint import Integration, write_nxazint1d
from tasks.io.nxpdf import Along, Curve, write_nxpdf
from tasks.io.pdf.columns import columns_of
from tasks.io.pdf.pattern import read_pattern
from tasks.io.pdf_text import write_columns
from tasks.io.powder import Facts

AXIS = 0.01 * np.arange(1, 2001)
VALUES = np.sin(3 * AXIS) * np.exp(-AXIS / 20)
SIGMA = 0.01 + 0.001 * AXIS
HEADER = {"composition": "Ni", "wavelength": 0.1867, "qmax": 23.0, "qdamp": None, "bgscale": 1}


@pytest.mark.parametrize(
    ("kind", "unit"), [("iq", "q_1/angstrom"), ("chi", "tth_deg"), ("chi", "q_1/nm")]
)
def test_patterns_are_read_back(tmp_path, kind, unit):
    path = tmp_path / f"x.{kind}"
    write_columns(path, kind, (AXIS, VALUES, SIGMA), HEADER, unit=unit)
    pattern = read_pattern(path)
    assert pattern.unit == unit
    assert (pattern.facts.composition, pattern.facts.wavelength) == ("Ni", 0.1867)
    np.testing.assert_allclose(pattern.intensity, VALUES, atol=1e-8)
    np.testing.assert_allclose(pattern.sigma, SIGMA, rtol=1e-8)


@pytest.mark.parametrize("kind", ["sq", "fq", "gr"])
def test_curves_are_read_back_with_their_uncertainty(tmp_path, kind):
    path = tmp_path / f"x.{kind}"
    write_columns(path, kind, (AXIS, VALUES, SIGMA), HEADER)
    x, values, sigma = columns_of(path).values
    np.testing.assert_allclose(x, AXIS, rtol=1e-8)
    np.testing.assert_allclose(values, VALUES, atol=1e-8)
    np.testing.assert_allclose(sigma, SIGMA, rtol=1e-8)


def test_pdffit2_reads_our_pair_distribution(tmp_path):
    from diffpy.pdffit2 import PdfFit, redirect_stdout

    said = io.StringIO()
    redirect_stdout(said)  # for the whole process: fits of other tests silence it
    path = tmp_path / "x.gr"
    write_columns(path, "gr", (AXIS, VALUES, SIGMA), HEADER)
    fit = PdfFit()
    fit.read_data(str(path), "X", 23.0, 0.0)
    np.testing.assert_allclose(fit.getpdf_obs(), VALUES, atol=1e-8)
    assert "Reading 4 columns" in said.getvalue()
    assert "absent or unreadable" not in said, "it takes the uncertainties"


def test_the_header_is_pairs_that_programs_look_for(tmp_path):
    path = tmp_path / "x.gr"
    write_columns(path, "gr", (AXIS, VALUES), HEADER)
    lines = path.read_text().splitlines()
    pairs = dict(line.split(" = ") for line in lines if " = " in line)
    assert (pairs["qmax"], pairs["mode"], pairs["outputtype"]) == ("23", "xray", "gr")
    assert "qdamp" not in pairs
    np.testing.assert_allclose(np.loadtxt(lines[lines.index("#### start data") :])[:, 0], AXIS)


def test_points_without_a_number_are_left_out(tmp_path):
    values = VALUES.copy()
    values[:5] = np.nan
    write_columns(tmp_path / "x.iq", "iq", (AXIS, values), {})
    assert len(read_pattern(tmp_path / "x.iq").x) == 1995


def test_mistakes_of_the_caller_are_refused(tmp_path):
    with pytest.raises(ValueError, match="of one length"):
        write_columns(tmp_path / "x.iq", "iq", (AXIS, VALUES[1:]), {})
    with pytest.raises(ValueError, match="one word"):
        write_columns(tmp_path / "x.iq", "iq", (AXIS, VALUES), {"a b": 1})
    with pytest.raises(ValueError, match="no point"):
        write_columns(tmp_path / "x.iq", "iq", (AXIS, VALUES * np.nan), {})
    assert not (tmp_path / "x.iq").exists()


def test_nxazint1d_has_what_its_definition_asks_for(tmp_path):
    path = tmp_path / "x.h5"
    intensity = np.stack([VALUES, 2 * VALUES])
    write_nxazint1d(
        path,
        Integration(
            axis=AXIS,
            intensity=intensity,
            sigma=np.stack([SIGMA, SIGMA]),
            unit="q_1/angstrom",
            wavelength=0.2,
            edges=np.append(AXIS - 0.005, AXIS[-1] + 0.005),
            norm=np.ones_like(AXIS),
            monitor=np.array([1.0, 2.0]),
            parameters={"polarisation": 0.99, "mask": None, "range": [0, 20]},
        ),
    )
    with h5py.File(path) as file:
        entry = file[file.attrs["default"]]
        assert entry["definition"][()] == b"NXazint1d"
        assert entry["solid_angle_applied"].dtype == bool
        assert entry["polarization_applied"][()]
        assert not entry["monitor_applied"][()]
        data = entry[entry.attrs["default"]]
        assert data.attrs["signal"] == "I"
        assert list(data.attrs["axes"]) == [".", "radial_axis"]
        assert data.attrs["interpretation"] == "spectrum"
        np.testing.assert_array_equal(data["I"], intensity)
        assert data["I_errors"].shape == intensity.shape
        assert data["radial_axis"].attrs["long_name"] == "q"
        assert data["radial_axis"].attrs["units"] == "1/angstrom"
        assert len(data["radial_axis_edges"]) == len(AXIS) + 1
        assert entry["instrument/monochromator/energy"][()] == pytest.approx(61.992, abs=1e-3)
        process = entry["reduction"]
        assert {"program", "version", "date", "reference", "input"} <= set(process)
        assert process["input/polarisation"][()] == 0.99
        assert process["input/range"][()] == b"[0, 20]"
        assert "mask" not in process["input"]
        assert entry["monitor"].attrs["NX_class"] == "NXmonitor"


def test_nxpdf_holds_each_curve_with_errors(tmp_path):
    path = tmp_path / "x.h5"
    many = np.stack([VALUES, 2 * VALUES])
    write_nxpdf(
        path,
        {"fq": Curve(AXIS, VALUES, SIGMA), "gr": Curve(AXIS, many, many)},
        {"rpoly": 0.9, "window": "lorch"},
        Facts(composition="Ni", density=8.9, wavelength=0.2, temperature=300),
        along=Along("temperature", np.array([300.0, 400.0]), "K"),
        inputs=["/data/x.h5"],
    )
    with h5py.File(path) as file:
        entry = file["entry"]
        assert entry.attrs["default"] == "gr"
        assert entry["fq"].attrs["NX_class"] == "NXdata"
        assert entry["fq/F"].attrs["units"] == "1/angstrom"
        np.testing.assert_array_equal(entry["fq/F_errors"], SIGMA)
        assert list(entry["gr"].attrs["axes"]) == ["temperature", "r"]
        assert entry["gr/r"].attrs["units"] == "angstrom"
        assert entry["reduction/parameters/window"][()] == b"lorch"
        assert entry["reduction/raw_files"][0] == b"/data/x.h5"
        assert entry["sample/chemical_formula"][()] == b"Ni"


def test_arrays_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="fq has"):
        write_nxpdf(tmp_path / "x.h5", {"fq": Curve(AXIS, VALUES[1:])}, {})
    with pytest.raises(ValueError, match="no curve"):
        write_nxpdf(tmp_path / "y.h5", {}, {})
