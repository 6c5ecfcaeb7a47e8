import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.probe import probe

REFUSED = {
    "01": "does not begin with '# XDI/'",
    "13": "line 31 has 3 columns where the table has 4",
    "14": "line 36 has 6 columns where the table has 4",
    "15": "line 29 has 'nan' where a number belongs",
    "16": "line 30 has 'STRING' where a number belongs",
    "17": "line 29 has '1.4.9' where a number belongs",
}
WARNED = {
    "02": "has no Element.edge",
    "03": "has no Element.symbol",
    "04": "'Foo' is no Element.edge",
    "05": "'Foo' is no Element.symbol",
    "06": "no line of dashes",
    "07": "has no Column.N for 4 columns",
    "08": "has Column.1, Column.2, Column.3 for 4 columns",
    "09": "Column.5 for 4 columns",
    "10": "Column.7 for 4 columns",
    "11": "header lines 12, 13 do not begin with '#'",
    "12": "gives no Mono.d_spacing; 3.135601 Angstrom is assumed from 'Si 111'",
}


@pytest.mark.parametrize(("number", "words"), REFUSED.items())
def test_broken_files_are_refused_with_the_reason(real, number, words):
    path = real(f"xdi_bad/bad_{number}.xdi")
    with pytest.raises(DataError) as error:
        probe(path, technique="xas")
    assert words in str(error.value)
    assert str(path) in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize(("number", "words"), WARNED.items())
def test_flawed_files_are_read_with_a_warning(real, opened, number, words):
    with opened(real(f"xdi_bad/bad_{number}.xdi")) as spectra:
        (warning,) = spectra.warnings
        assert words in warning
        raw = spectra.read()
    if number != "12":
        with opened(real("xdi_bad/bad_00.xdi")) as valid:
            assert valid.warnings == ()
            for name in ("energy", "i0", "i1"):
                assert np.array_equal(getattr(raw, name), getattr(valid.read(), name))
            assert np.array_equal(raw.mu["transmission"], valid.read().mu["transmission"])
    else:  # 12.3 degree on silicon 111, by Bragg's law
        assert raw.energy[0, 0] == pytest.approx(12398.42 / (2 * 3.1356 * np.sin(0.214675)), abs=1)


def test_the_library_as_numpy_reads_it(real, opened, larch):
    """Each column of each standard, and that larch made its reference of the same numbers."""
    files = sorted(real("library_xdi").rglob("*.xd*"))
    assert len(files) == 123
    for path in files:
        table = np.loadtxt(path)
        labels = [
            line.split(":")[1].split()[0]
            for line in path.read_text("latin-1").splitlines()
            if line.lower().startswith("# column.")
        ]
        column = {label: table[:, at] for at, label in enumerate(labels)}
        with opened(path) as spectra:
            raw = spectra.read()
            assert spectra.warnings == () and spectra.facts.mode == "transmission", path
            assert spectra.shape == (1, len(table))
        assert np.array_equal(raw.energy[0], column["energy"]), path
        names = {"i0": "i0", "itrans": "i1", "irefer": "i2", "time": "count_time"}
        for label, name in names.items():
            if label in column and np.ptp(column[label]):
                assert np.array_equal(getattr(raw, name)[0], column[label]), (path, label)
        if "mutrans" in column:
            assert np.array_equal(raw.mu["transmission"][0], column["mutrans"])
        known = larch.get(f"library_xdi/{path.parent.name}/{path.name}")
        if known is not None:
            assert (known["emin"], known["emax"]) == (raw.energy.min(), raw.energy.max())
            assert (known["element"], known["n"]) == (spectra.facts.element, raw.energy.size)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nonxafs_1d", "The labels are 'x', 'i0', 'itrans', 'mutrans'; there must be 'energy'"),
        ("nonxafs_2d", "a map over 'x2d'"),
        ("nonxafs_negvalues", "The labels are 'X', 'Y', 'Z'"),
    ],
)
def test_valid_xdi_that_is_no_spectrum(real, name, words):
    with pytest.raises(DataError, match=words):
        probe(real(f"xdi/{name}.xdi"), technique="xas")


def test_what_the_header_tells(real, opened):
    with opened(real("library_xdi/Cu/Cu2S_13K_01.xdi")) as spectra:
        facts = spectra.facts
        assert (facts.element, facts.edge, facts.reference_element) == ("Cu", "K", "Cu")
        assert facts.d_spacing == 1.92009
        assert facts.started_at is not None and facts.started_at.isoformat()[:10] == "1996-07-27"
        assert spectra.metadata["sample"] == "Cu2S  cuprous sulfide"
        assert (
            spectra.metadata["energy_range_eV"] == [8759.99, 9910.0] or spectra.metadata["points"]
        )
    (entry,) = probe(real("beamline_ascii/NSLS6BM_2019.dat"), technique="xas")
    assert entry.uid == "48c3dcf1-020e-4671-8c71-cc0db04dff01"
    assert entry.needs_quiet and entry.format == "xdi"


def test_channels_of_a_dead_column_are_not_there(tmp_path, raw):
    rows = "\n".join(f"{7100 + at} {100 + at} {50 + at} 0 0" for at in range(9))
    path = tmp_path / "a.xdi"
    labels = ("energy eV", "i0", "itrans", "irefer", "ifluor")
    header = "\n".join(f"# Column.{at}: {label}" for at, label in enumerate(labels, 1))
    path.write_text(f"# XDI/1.0\n{header}\n# ---\n{rows}\n")
    found = raw(path)
    assert found.i1 is not None and found.i2 is None and found.fluorescence is None
