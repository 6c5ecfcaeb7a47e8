"""
Real standards against xraylarch's figures, and against what does not come from xraylarch.

The figures stand beside the data (``larch_reference.json``); xraylarch itself is not needed. Run
with ``-s`` to see how well they agree.
"""

import functools
import json

import h5py
import numpy as np
import pytest
import xraydb

from tasks.xas.background import autobk, exafs_range
from tasks.xas.edge import find_e0
from tasks.xas.fourier import transform
from tasks.xas.mback import mback
from tasks.xas.normalise import default_windows, normalise
from tests.validate.chain import real_data

NEAREST_NEIGHBOURS = {  # Å, of the metals (R. W. G. Wyckoff, Crystal Structures, vol. 1, 1963)
    "library_xdi/Co/co_metal_rt.xdi": 2.507,
    "library_xdi/Cu/cu_metal_rt.xdi": 2.556,
    "library_xdi/Cu/Cu_Foil_rt_2016Foils.xdi": 2.556,
    "library_xdi/Fe/Fe_metal_rt_01.xdi": 2.482,
    "library_xdi/Fe/Fe_Foil_rt_2016Foils.xdi": 2.482,
    "library_xdi/Ni/Ni_metal_rt_01.xdi": 2.492,
    "library_xdi/Pt/pt_metal_rt.xdi": 2.775,
    "library_xdi/Zn/Zn_foil.xdi": 2.665,
}


@functools.cache
def reference():
    """What xraylarch found in each file of the library."""
    path = real_data("xas/larch_reference.json")
    return {each["file"]: each for each in json.loads(path.read_text())["results"]}


@functools.cache
def spectrum(name):
    """Energies and absorption of an XDI file, by the names of its columns."""
    lines = real_data(f"xas/{name}").read_text(errors="replace").splitlines()
    labels = [line.split(":")[1].split()[0] for line in lines if line.startswith("# Column.")]
    rows = np.loadtxt([line for line in lines if not line.startswith("#")])
    column = dict(zip(labels, rows.T, strict=False))
    if "mutrans" in column:
        absorption = column["mutrans"]
    else:
        absorption = -np.log(column["itrans"] / column["i0"])
    order = np.argsort(column["energy"], kind="stable")
    return column["energy"][order], absorption[order][None]


@functools.cache
def exafs(name):
    """Transform as the reference was made: k weighted by 2 in the background and the transform."""
    energy, mu = spectrum(name)
    known = reference()[name]
    step = normalise(energy, mu, known["e0"], default_windows(energy, known["e0"])).edge_step
    fine = autobk(energy, mu, known["e0"], step, kweight=2)
    return transform(fine.k, fine.chi, 3.0, known["ft_kmax"], 1.0, 2)


def test_edge_energies_are_the_same_grid_points():
    apart = []
    for name, known in reference().items():
        energy, mu = spectrum(name)
        found = float(find_e0(energy, mu)[0])
        apart.append(np.abs(energy - found).argmin() - np.abs(energy - known["e0"]).argmin())
    same = np.mean(np.array(apart) == 0)
    print(f"e0: {len(apart)} spectra, the same grid point in {100 * same:.1f} %")
    assert same >= 0.9
    assert np.abs(apart).max() <= 1


def test_default_windows_are_the_same():
    for name, known in reference().items():
        windows = default_windows(spectrum(name)[0], known["e0"])
        for part in ("pre1", "pre2", "norm1", "norm2", "nnorm"):
            assert getattr(windows, part) == pytest.approx(known[part], abs=1e-3), (name, part)


def test_edge_steps_are_the_same():
    errors = []
    for name, known in reference().items():
        energy, mu = spectrum(name)
        result = normalise(energy, mu, known["e0"], default_windows(energy, known["e0"]))
        errors.append(abs(float(result.edge_step[0]) - known["edge_step"]))
    print(f"edge step: largest difference {max(errors):.1e} (the figures have six digits)")
    assert max(errors) < 1e-6


def test_peaks_in_r_are_the_same_in_place_and_height():
    places, heights = [], []
    for name, known in reference().items():
        if "rpeak" not in known:
            continue
        result = exafs(name)
        magnitude = np.abs(result.chi_r[0])
        peak = np.argmax(np.where((result.r > 1) & (result.r < 3.5), magnitude, 0))
        places.append(abs(result.r[peak] - known["rpeak"]))
        heights.append(abs(magnitude[peak] / known["rpeak_mag"] - 1))
    print(
        f"R peak: {len(places)} spectra, largest difference {max(places):.1e} Å, "
        f"in height {100 * max(heights):.3f} %"
    )
    assert max(places) < 1e-3  # a thirtieth of a step in R
    assert max(heights) < 2e-3


def test_scans_of_the_edge_alone_are_told_from_exafs():
    for name, known in reference().items():
        found = exafs_range(spectrum(name)[0], known["e0"])
        assert (found is not None) == ("rpeak" in known), (name, found)


def test_a_scan_of_4001_points_as_xraylarch_reduces_it():
    """An iron foil of the ESRF, points every quarter of an electronvolt, energy in keV."""
    with h5py.File(real_data("xas/esrf_bliss/Fe_foil_0001_measurement.h5")) as file:
        energy = 1e3 * file["1.1/measurement/energy_enc"][:]
        mu = file["1.1/measurement/mu_trans"][:]
    energy, order = np.unique(energy, return_index=True)
    mu = mu[order][None]
    e0 = float(find_e0(energy, mu)[0])
    step = normalise(energy, mu, e0, default_windows(energy, e0)).edge_step
    fine = autobk(energy, mu, e0, step, kweight=2)
    result = transform(fine.k, fine.chi)
    assert e0 == pytest.approx(7112.231, abs=1e-3)
    assert step[0] == pytest.approx(1.2237, abs=1e-4)
    assert result.r[np.argmax(np.abs(result.chi_r[0]))] == pytest.approx(2.209, abs=1e-3)


@pytest.mark.parametrize("name", list(NEAREST_NEIGHBOURS))
def test_first_shells_of_metals_stand_below_their_crystallographic_distance(name):
    """By the slope of the scattering phase: 0.2 to 0.5 Å, alike for neighbours in the table."""
    result = exafs(name)
    peak = result.r[np.argmax(np.abs(result.chi_r[0]))]
    shift = NEAREST_NEIGHBOURS[name] - peak
    print(f"{name}: peak {peak:.3f} Å, {shift:.3f} Å below the neighbours")
    assert 0.25 < shift < 0.36


@pytest.mark.parametrize("name", list(NEAREST_NEIGHBOURS))
def test_edges_of_metals_stand_where_the_tables_have_them(name):
    known = reference()[name]
    tabulated = xraydb.xray_edge(known["element"], known["edge"]).energy
    assert abs(find_e0(*spectrum(name))[0] - tabulated) < 5  # calibrations of the beamlines differ


@pytest.mark.parametrize("name", list(NEAREST_NEIGHBOURS))
def test_matching_the_tables_finds_the_step_that_lines_find(name):
    energy, mu = spectrum(name)
    known = reference()[name]
    windows = default_windows(energy, known["e0"])
    found = mback(energy, mu, known["element"], known["e0"], windows).edge_step[0]
    print(f"{name}: step by tables {found:.4f}, by lines {known['edge_step']:.4f}")
    assert found == pytest.approx(known["edge_step"], rel=0.03)
