import os
from pathlib import Path

import numpy as np
import pytest

from infra.simulator.xas import models, standards

E0 = models.E0


def steepest(spectrum):
    return spectrum.energy[np.argmax(np.gradient(spectrum.absorption, spectrum.energy))]


def test_the_models_are_an_iron_series():
    spectra = {one.name: one for one in standards.load(["Fe", "FeO", "Fe2O3", "FeS2"], None, E0)}
    edges = {name: steepest(one) for name, one in spectra.items()}
    assert edges["Fe"] == pytest.approx(7112, abs=0.5)
    assert edges["FeO"] == pytest.approx(7121, abs=1.5)
    assert edges["Fe2O3"] == pytest.approx(7125, abs=1.5)
    tops = {name: one.absorption.max() for name, one in spectra.items()}
    assert tops["Fe"] < 1.15
    assert 1.3 < min(tops["FeO"], tops["Fe2O3"]) <= max(tops["FeO"], tops["Fe2O3"]) < 1.6
    for one in spectra.values():
        assert abs(one.at(np.array([E0 - 150.0]))[0]) < 0.01
        assert 0.75 < one.at(np.array([E0 + 600.0]))[0] < 1


def test_no_model_is_a_mixture_of_the_others():
    energy = np.arange(E0 - 20, E0 + 100, 0.5)
    spectra = np.array([model.absorption(energy) for model in models.MODELS.values()])
    for number, spectrum in enumerate(spectra):
        others = np.delete(spectra, number, axis=0).T
        rest = spectrum - others @ np.linalg.lstsq(others, spectrum)[0]
        assert np.sqrt(np.mean(rest**2)) > 0.02


def test_the_metal_shows_its_first_neighbours():
    k = np.arange(3.0, 13.0, 0.05)
    metal = models.MODELS["Fe"]
    onset = sum(where * share for where, share, _ in metal.steps)
    chi = metal.chi(E0 + onset + k**2 / models.WAVENUMBER)
    r = np.arange(1.0, 6.0, 0.02)
    found = np.abs(np.exp(2j * np.outer(r, k)) @ (chi * k**2 * np.hanning(len(k))))
    assert r[np.argmax(found)] == pytest.approx(2.482 - 0.25, abs=0.12)  # less half the phase


def test_a_real_spectrum_is_normalised(tmp_path):
    energy = np.arange(E0 - 160, E0 + 700, 1.0)
    above = energy - E0
    edge = 0.5 * (1 + np.tanh(above / 3)) * (1 - 3e-4 * above + 1e-7 * above**2)
    i0 = np.full(energy.size, 2e5)
    itrans = i0 * np.exp(-(0.8 * edge + 1.3 - 4e-4 * above))
    rows = "\n".join(f"{i} {e} {t}" for i, e, t in zip(i0, energy, itrans, strict=True))
    header = "# XDI/1.0\n# Column.1: i0\n# Column.2: energy eV\n# Column.3: itrans\n#---\n"
    (tmp_path / "oxide.xdi").write_text(header + rows)
    (found,) = standards.load(["oxide"], tmp_path, E0)
    np.testing.assert_allclose(found.at(energy), edge, atol=1e-9)


def test_real_standards_of_a_library():
    if "DAYSEYE_DATA" not in os.environ:
        pytest.skip("set DAYSEYE_DATA to the folder of real data to run this test")
    folder = Path(os.environ["DAYSEYE_DATA"]) / "xas/library_xdi/Fe"
    names = ["Fe2O3_rt_01", "FeO_rt_01", "Fe_metal_rt_01"]
    for one in standards.load(names, folder, E0):
        assert abs(one.at(np.array([E0 - 60.0]))[0]) < 0.02
        assert one.at(np.arange(E0 + 50, E0 + 300)).mean() == pytest.approx(0.93, abs=0.05)
