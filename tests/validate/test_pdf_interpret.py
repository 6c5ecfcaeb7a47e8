"""
Published G(r) of nickel, silicon, their mixture and LaB6: fits, candidates, fractions.

Cells of the literature stand with their source in ``cif/``. Run with ``-s`` to see the figures.
"""

import time
from pathlib import Path

import numpy as np
import pytest

from tasks.pdf.candidates import choose_candidate
from tasks.pdf.crystal import read_structure
from tasks.pdf.liquids import coordination, radial_functions
from tasks.pdf.nmf import components
from tasks.pdf.peaks import first_peaks
from tasks.pdf.phases import fit_phases, fit_phases_series
from tasks.pdf.similarity import find_changes, pearson
from tasks.pdf.structure_fit import fit_structure
from tests.validate.chain import real_data

CIF = Path(__file__).parent / "cif"
ALL = [CIF / f"{name}.cif" for name in ("CeO2", "Cu", "LaB6", "Ni", "Si")]
LAB6 = "pdf/snbl_lab6/pdfgetx/LaB6_0p4mm_011_av10_monitor.gr"
REFINE = ("cell", "thermal", "scale", "delta2", "qdamp")
QMAX = 27.0  # of the files of cmi_ch05


def curve(name):
    """First two columns; some files have rows of more columns than others."""
    rows: list[list[float]] = []
    for line in real_data(name).read_text(errors="replace").splitlines():
        try:
            rows.append([float(value) for value in line.split()[:2]])
        except ValueError:
            continue
    return np.array([row for row in rows if len(row) == 2]).T


def shown(fit):
    return ", ".join(f"{k} {v:.5g} ± {fit.sigma[k]:.1g}" for k, v in fit.parameters.items())


@pytest.mark.parametrize(
    ("name", "structure", "cell", "within", "rw"),
    [
        # pdffit2 alone finds 3.5239 Å and 0.085 for this file with a fixed qdamp
        ("pdf/cmi_ch05/ni.gr", "Ni", 3.524, 0.001, 0.085),
        ("pdf/cmi_ch05/si.gr", "Si", 5.4310, 0.002, 0.085),
    ],
)
def test_cells_of_the_published_curves(name, structure, cell, within, rw):
    r, g = curve(name)
    begin = time.perf_counter()
    fit = fit_structure(r, g, None, CIF / f"{structure}.cif", qmax=QMAX, refine=REFINE)
    print(f"{structure}: {shown(fit)}, Rw {fit.rw:.4f}, {time.perf_counter() - begin:.1f} s")
    assert fit.good
    assert fit.parameters["a"] == pytest.approx(cell, abs=within)
    assert fit.rw < rw
    assert 0.003 < fit.parameters[f"U_{structure}"] < 0.01


def test_lab6_of_another_instrument_and_program():
    r, g = curve(LAB6)
    fit = fit_structure(r, g, None, CIF / "LaB6.cif", qmax=23.0, refine=REFINE)
    print(f"LaB6: {shown(fit)}, Rw {fit.rw:.4f}")
    assert fit.parameters["a"] == pytest.approx(4.15683, abs=0.002)
    assert fit.rw < 0.13
    assert fit.parameters["U_B"] > fit.parameters["U_La"] > 0.002


@pytest.mark.parametrize(("name", "truth"), [("ni", "Ni"), ("si", "Si")])
def test_the_wrong_structures_lose(name, truth):
    r, g = curve(f"pdf/cmi_ch05/{name}.gr")
    choice = choose_candidate(r, g, None, ALL, qmax=QMAX, qdamp=0.055)
    print(choice.sentence)
    assert choice.chosen is not None
    assert choice.chosen.name == truth
    wrong = [each for each in choice.ranking if each.name not in (truth, "Cu")]
    assert min(each.misfit for each in wrong) > 2 * choice.chosen.misfit
    # nickel and copper are the same structure: only the cell tells them apart
    assert [each.name for each in choice.alternatives] == (["Cu"] if truth == "Ni" else [])


def test_lab6_is_found_and_none_is_when_it_is_not_there():
    r, g = curve(LAB6)
    assert choose_candidate(r, g, None, ALL, qmax=23.0).chosen.name == "LaB6"
    others = [each for each in ALL if each.stem != "LaB6"]
    choice = choose_candidate(r, g, None, others, qmax=23.0)
    print(choice.sentence)
    assert choice.chosen is None


def test_the_mixture_of_silicon_and_nickel():
    r, g = curve("pdf/cmi_ch05/sini.gr")
    choice = choose_candidate(r, g, None, ALL, qmax=QMAX, qdamp=0.053, mixtures=True)
    print(choice.sentence)
    assert choice.mixture is not None
    assert set(choice.mixture.names) == {"Si", "Ni"}
    found = fit_phases(r, g, None, [CIF / "Si.cif", CIF / "Ni.cif"], qmax=QMAX, qdamp=0.053)
    print(f"mass of Ni {found.mass[1]:.3f} ± {found.mass_sigma[1]:.3f}, Rw {found.fit.rw:.3f}")
    assert found.fit.parameters["Si:a"] == pytest.approx(5.431, abs=0.003)
    assert found.fit.parameters["Ni:a"] == pytest.approx(3.524, abs=0.004)
    assert found.fit.rw < 0.11
    assert not found.remarks


def test_fractions_of_mixtures_made_of_the_pure_curves():
    """The pure curves, scaled as shares of atoms say: fractions come back."""
    (r, ni), (_, si) = curve("pdf/cmi_ch05/ni.gr"), curve("pdf/cmi_ch05/si.gr")
    shares = np.array([0.05, 0.2, 0.5, 0.8])
    mean = shares * 28 + (1 - shares) * 14
    patterns = (shares * (28 / mean) ** 2)[:, None] * ni
    patterns += ((1 - shares) * (14 / mean) ** 2)[:, None] * si
    found = fit_phases_series(
        r, patterns, None, [CIF / "Si.cif", CIF / "Ni.cif"], qmax=QMAX, qdamp=0.053
    )
    seen = np.array([each.atoms[1] for each in found])
    print(f"atoms of Ni {np.round(seen, 3)} of {shares}")
    assert seen == pytest.approx(shares, abs=0.02)


def test_first_peaks_and_neighbours_of_nickel():
    r, g = curve("pdf/cmi_ch05/ni.gr")
    peaks = first_peaks(r, g, qmax=QMAX, rmin=1.9, count=2)
    print(f"peaks of Ni {np.round(peaks.position, 3)}")
    assert peaks.position == pytest.approx([3.524 / np.sqrt(2), 3.524], abs=0.02)
    scale = fit_structure(r, g, None, CIF / "Ni.cif", qmax=QMAX, qdamp=0.055).parameters["scale"]
    radial = radial_functions(r, g / scale, None, read_structure(CIF / "Ni.cif").number_density)
    found = coordination(radial, qmax=QMAX, low=2.1, high=3.3)
    print(f"neighbours of Ni {found.to_minimum:.2f} and {found.symmetric:.2f}")
    assert found.to_minimum == pytest.approx(12, rel=0.05)
    assert found.symmetric == pytest.approx(12, rel=0.05)


def test_a_long_series_of_two_phases():
    """A transition from silicon to nickel over 1,000 frames, by their published I(Q)."""
    (q, ni), (own, si) = curve("pdf/cmi_ch05/ni.iq"), curve("pdf/cmi_ch05/si.iq")
    grid = np.linspace(1, 26, 2000)
    ni, si = np.interp(grid, q, ni), np.interp(grid, own, si)
    state = 1 / (1 + np.exp(-(np.arange(1000) - 600) / 30))[:, None]
    rng = np.random.default_rng(0)
    noise = 0.02 * np.sqrt(np.maximum(ni, 0.1))
    patterns = (1 - state) * si / si.mean() + state * ni / ni.mean()
    patterns += noise / ni.mean() * rng.normal(size=patterns.shape)
    begin = time.perf_counter()
    alike, changes, found = pearson(patterns), find_changes(patterns), components(patterns)
    print(f"1000 patterns of 2000 points: {time.perf_counter() - begin:.1f} s; {found.reason}")
    assert alike[0, -1] < 0.9 < alike[0, 300]
    assert any(abs(at - 600) < 30 for at in changes.at)
    assert found.number == 2
    grows = found.weights[:, np.argmax(found.weights[-1])]
    assert np.abs(grows - state[:, 0]).max() < 0.05
