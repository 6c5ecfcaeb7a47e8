import h5py
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.fingerprint import fingerprint
from tasks.io.probe import UnknownLayoutError, probe
from tasks.io.scan import ScanReference
from tasks.io.spectra import open_spectra


def test_the_new_definition(real, opened):
    path = real("nxxas/Fe_XDIFiles.h5")
    entries = probe(path, technique="xas")
    assert [each.inner_path for each in entries] == ["fe2o3", "fe_metal", "feo"]
    with opened(path, "fe_metal") as spectra, h5py.File(path, locking=False) as file:
        raw, stored = spectra.read(), file["fe_metal"]
        assert np.array_equal(raw.energy[0], stored["energy"][:])
        assert np.array_equal(raw.mu["transmission"][0], stored["intensity"][:])
        assert np.array_equal(raw.i0[0], stored["instrument/i0/data"][:])
        assert np.array_equal(raw.i1[0], stored["instrument/itrans/data"][:])
        facts = spectra.facts
    assert (facts.element, facts.edge, facts.mode, facts.e0) == ("Fe", "K", "transmission", 7112)
    assert facts.d_spacing == 3.1355 and facts.reference_element is None
    assert spectra.metadata["started_at"] == "2002-03-16T19:49:43+00:00"


def test_ways_of_measuring_beside_each_other_are_one_dataset(real, opened):
    path = real("nxxas/BlissMultiModal.h5")
    entries = probe(path, technique="xas")
    assert [each.inner_path for each in entries] == ["1.1", "2.1"]
    with opened(path, "2.1") as spectra, h5py.File(path, locking=False) as file:
        raw, stored = spectra.read(), file["2.1"]
        assert "1 points have no number" in spectra.warnings[0], "the first one of fluorescence"
        np.testing.assert_allclose(raw.energy[0], stored["itrans/energy"][1:] * 1000)
        assert np.array_equal(raw.mu["transmission"][0], stored["itrans/intensity"][1:])
        assert np.array_equal(raw.mu["reference"][0], stored["iref/intensity"][1:])
        channels = [stored[f"fluo{number}/intensity"][1:] for number in range(16)]
        np.testing.assert_allclose(raw.mu["fluorescence"][0], np.mean(channels, axis=0))
    assert spectra.facts.mode is None and spectra.facts.reference_element == "As"


@pytest.fixture
def old(tmp_path):
    """Write an entry of the released definition."""

    def write(mode="Transmission", name="entry"):
        path = tmp_path / "old.nxs"
        with h5py.File(path, "a") as file:
            entry = file.create_group(name)
            entry.attrs["NX_class"] = "NXentry"
            entry["definition"] = "NXxas"
            entry["title"] = "iron"
            entry["start_time"] = "2024-05-06T07:08:09+02:00"
            entry["sample/name"] = "foil"
            entry["instrument/monochromator/energy"] = np.linspace(7.0, 7.4, 50)
            entry["instrument/monochromator/energy"].attrs["units"] = "keV"
            entry["instrument/incoming_beam/data"] = np.arange(50) + 500
            entry["instrument/absorbed_beam/data"] = np.arange(50) + 200
            entry["data/mode"] = mode
        return path

    return write


@pytest.mark.parametrize(
    ("mode", "channel", "told"),
    [
        ("Transmission", "i1", "transmission"),
        ("Fluorescence Yield", "fluorescence", "fluorescence"),
        ("Auger", "i1", "transmission"),
    ],
)
def test_the_released_definition(old, opened, mode, channel, told):
    with opened(old(mode)) as spectra:
        raw = spectra.read()
        assert spectra.facts.mode == told and spectra.metadata["sample"] == "foil"
    np.testing.assert_allclose(raw.energy[0], np.linspace(7000, 7400, 50))
    assert raw.i0[0, 0] == 500
    assert np.ravel(getattr(raw, channel))[0] == 200
    assert spectra.metadata["started_at"] == "2024-05-06T05:08:09+00:00"


def test_an_appended_entry_leaves_the_fingerprint_of_the_others(old):
    path = old(name="a")
    before = fingerprint(path, "a")
    old(name="b")
    assert fingerprint(path, "a") == before
    with h5py.File(path, "r+") as file:
        file["a/instrument/absorbed_beam/data"][3] += 1
    assert fingerprint(path, "a") != before


def test_what_is_missing_is_said(old):
    path = old()
    with h5py.File(path, "r+") as file:
        del file["entry/instrument/absorbed_beam"]
    (entry,) = probe(path, technique="xas")
    assert "holds no absorption" in entry.problem
    with h5py.File(path, "r+") as file:
        del file["entry/instrument/monochromator"]
    (entry,) = probe(path, technique="xas")
    assert "gives no energies" in entry.problem
    with pytest.raises(DataError, match="has no entry 'other'"):
        open_spectra(ScanReference(str(path), "other", "nxxas"))


def test_a_stack_of_spectra_is_sweeps(tmp_path, opened):
    path = tmp_path / "stack.h5"
    values = np.random.default_rng(0).random((7, 30))
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"], entry["mode"] = "NXxas", "fluorescence"
        entry["energy"], entry["intensity"] = np.linspace(7000, 7100, 30), values
    with opened(path) as spectra:
        assert spectra.shape == (7, 30)
        part = spectra.read(slice(2, 5), slice(10, 20))
    assert np.array_equal(part.mu["fluorescence"], values[2:5, 10:20])
    assert part.energy.shape == (3, 10) and np.array_equal(part.energy[0], part.energy[2])


def test_a_tomography_file_is_unknown_to_spectroscopy(tmp_path):
    path = tmp_path / "ct.h5"
    with h5py.File(path, "w") as file:
        file["exchange/data"] = np.ones((2, 3, 4))
    with pytest.raises(UnknownLayoutError) as error:
        probe(path, technique="xas")
    assert "it holds exchange, but neither a group 'measurement'" in str(error.value)
    assert "an entry with definition 'NXxas'" in str(error.value)
    assert "DXchange" not in str(error.value)
    assert probe(path, technique="ct")[0].format == "dxchange"
