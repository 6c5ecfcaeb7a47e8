"""What is written is what is read again."""

from datetime import UTC, datetime

import h5py
import numpy as np
import pytest

from tasks.io.spectra import Facts
from tasks.io.xas.nxxas_writer import Blocks, Group, Named, NXxasEntry, write_nxxas
from tasks.io.xas.xdi_writer import Column, XdiSpectrum, write_xdi

ENERGY = np.linspace(7000, 7500, 40)
NORM = np.random.default_rng(0).random(40)
STARTED = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


def entry(**changes):
    usual = {"element": "Fe", "edge": "K", "mode": "fluorescence", "energy": ENERGY}
    return NXxasEntry(**(usual | {"intensity": NORM} | changes))


def test_nxxas_round_trip(tmp_path, opened):
    path = tmp_path / "a.h5"
    groups = {
        "exafs": Group(
            {"k": Named(np.arange(5.0), "1/angstrom"), "chi": Named(np.ones(5))}, "chi", ("k",)
        ),
        "reduction": Group(
            {"recipe": Named("{}"), "e0": Named(7112.1, "eV", {"sigma": 0.1})}, nx_class="NXprocess"
        ),
    }
    first = entry(
        intensity_errors=NORM / 10, title="a", sample="foil", started_at=STARTED, groups=groups
    )
    write_nxxas(path, {"spectrum": first, "other": entry(edge="L3", mode="transmission")})
    with opened(path, "spectrum") as spectra:
        raw, facts = spectra.read(), spectra.facts
    assert np.array_equal(raw.energy[0], ENERGY)
    assert np.array_equal(raw.mu["fluorescence"][0], NORM)
    assert (facts.element, facts.edge, facts.mode) == ("Fe", "K", "fluorescence")
    assert (facts.title, facts.sample, facts.started_at) == ("a", "foil", STARTED)
    with opened(path, "other") as spectra:
        assert (spectra.facts.edge, spectra.facts.mode) == ("L3", "transmission")
    with h5py.File(path) as file:
        assert file.attrs["default"] == "spectrum"
        plot = file["spectrum/plot"]
        assert np.array_equal(plot[plot.attrs["signal"]][:], NORM)
        assert np.array_equal(plot[plot.attrs["axes"][0]][:], ENERGY)
        assert np.array_equal(plot["intensity_errors"][:], NORM / 10)
        assert file["spectrum/energy"].attrs["units"] == "eV"
        assert file["spectrum/exafs"].attrs["NX_class"] == "NXdata"
        assert file["spectrum/exafs/k"].attrs["units"] == "1/angstrom"
        assert file["spectrum/reduction/e0"].attrs["sigma"] == 0.1
        assert file["spectrum/reduction/recipe"].asstr()[()] == "{}"


def test_a_series_is_written_block_by_block(tmp_path, opened):
    values = np.random.default_rng(1).random((10, 40))
    blocks = Blocks((10, 40), (values[at : at + 3] for at in range(0, 10, 3)))
    write_nxxas(tmp_path / "a.h5", {"series": entry(intensity=blocks)})
    with opened(tmp_path / "a.h5") as spectra:
        assert spectra.shape == (10, 40)
        assert np.array_equal(spectra.read().mu["fluorescence"], values)
    with pytest.raises(ValueError, match="got 3 rows where 10"):
        write_nxxas(tmp_path / "b.h5", {"a": entry(intensity=Blocks((10, 40), [values[:3]]))})


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "a.h5").write_text("mine")
    (tmp_path / "a.xdi").write_text("mine")
    with pytest.raises(OSError, match="exists"):
        write_nxxas(tmp_path / "a.h5", {"a": entry()})
    with pytest.raises(FileExistsError):
        write_xdi(tmp_path / "a.xdi", XdiSpectrum(ENERGY, [Column("mutrans", NORM)]))


def test_xdi_round_trip(tmp_path, opened):
    facts = Facts("Cu", "K", "transmission", "Cu", 3.13551, "", "a foil", STARTED, 8979.25)
    spectrum = XdiSpectrum(
        ENERGY,
        [Column("mutrans", NORM), Column("sigma", NORM / 100), Column("i0", 1e5 * NORM, "counts")],
        facts,
        {
            "Facility.name": "a light source",
            "Sample.stoichiometry": "Cu",
            "Sample.temperature": "15 K",
        },
        ["first line\nsecond line"],
    )
    write_xdi(tmp_path / "a.xdi", spectrum)
    with opened(tmp_path / "a.xdi") as spectra:
        raw = spectra.read()
        assert spectra.warnings == ()
        read = spectra.facts
    np.testing.assert_array_equal(raw.energy[0], ENERGY)
    np.testing.assert_array_equal(raw.mu["transmission"][0], NORM)
    np.testing.assert_array_equal(raw.i0[0], 1e5 * NORM)
    assert (read.formula, read.temperature) == ("Cu", "15 K")
    assert read.title == "first line"
    assert (read.element, read.edge, read.reference_element) == ("Cu", "K", "Cu")
    assert (read.d_spacing, read.e0, read.started_at) == (3.13551, 8979.25, STARTED)
    lines = (tmp_path / "a.xdi").read_text().splitlines()
    assert lines[0] == "# XDI/1.0 Dayseye"
    assert "# Column.3: sigma" in lines and "# Facility.name: a light source" in lines
    table = np.loadtxt(tmp_path / "a.xdi")
    np.testing.assert_array_equal(table[:, 2], NORM / 100)


@pytest.mark.parametrize(
    ("spectrum", "words"),
    [
        (XdiSpectrum(ENERGY, [Column("mu trans", NORM)]), "cannot be the label"),
        (XdiSpectrum(ENERGY, [Column("a", NORM)], fields={"nofamily": "1"}), "is no field of XDI"),
        (XdiSpectrum(ENERGY, [Column("a", np.full(40, np.nan))]), "no place for values"),
    ],
)
def test_what_xdi_cannot_hold(tmp_path, spectrum, words):
    with pytest.raises(ValueError, match=words):
        write_xdi(tmp_path / "a.xdi", spectrum)
