import gzip
import json
import re

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.probe import UnknownLayoutError, probe


def group(text, label):
    """Arrays and energy shift of the group with a label, cut out of the Perl by hand."""
    for part in text.split("[record]"):
        if f"'label','{label}'" in part:
            arrays = {
                name: np.array(re.findall(r"'([^']+)'", body), float)
                for name, body in re.findall(r"@(x|y|i0) = \((.*?)\);", part)
            }
            shift = re.search(r"'bkg_eshift',('[^']*'|[^,]*)", part)[1].strip("'")
            return arrays, float(shift)
    raise AssertionError(label)


def inner_of(path, label):
    (entry,) = [e for e in probe(path, technique="xas") if e.metadata["title"] == label]
    return entry.inner_path


@pytest.mark.parametrize(("label", "shift"), [("7.03", -0.24), ("0.12", -0.23), ("Au foil", 0.0)])
def test_energy_shifts_are_applied(real, raw, label, shift):
    path = real("athena_prj/cyanobacteria.prj")
    arrays, stated = group(gzip.decompress(path.read_bytes()).decode(), label)
    assert stated == shift
    found = raw(path, inner_of(path, label))
    assert np.array_equal(found.energy[0], arrays["x"] + shift)
    assert np.array_equal(found.mu["transmission"][0], arrays["y"])


def test_the_gold_series(real, opened):
    path = real("athena_prj/cyanobacteria.prj")
    entries = probe(path, technique="xas")
    assert len(entries) == 17 and len({each.inner_path for each in entries}) == 17
    assert all(each.metadata["element"] == "Au" for each in entries)
    assert all(each.metadata["edge"] == "L3" and each.format == "athena" for each in entries)
    with opened(path, inner_of(path, "7.03")) as spectra:
        assert spectra.facts.e0 == 11919.083
        assert spectra.facts.mode is None, "the project holds mu(E) of whatever kind"


@pytest.mark.parametrize(
    ("name", "count"),
    [("Fe", 5), ("cu", 3), ("CuHERFD_samples", 94), ("CuHERFD_standards", 39)],
)
def test_all_groups_of_a_project(real, name, count):
    entries = probe(real(f"athena_prj/{name}.prj"), technique="xas")
    assert len(entries) == count and not any(each.problem for each in entries)


def test_a_project_of_larch_in_json(real, opened):
    path = real("athena_prj/FeFoil_QXAFS_Compare.prj")
    content = json.loads(gzip.decompress(path.read_bytes()))
    assert [e.inner_path for e in probe(path, technique="xas")] == content["_____order"]
    stored = content["sroyd"]
    with opened(path, "sroyd") as spectra:
        raw = spectra.read()
        assert spectra.facts.mode == "transmission", "mu is ln(i0/signal) of what stands beside it"
    shift = float(stored["args"].get("bkg_eshift") or 0)
    np.testing.assert_allclose(raw.energy[0], np.array(stored["x"], float) + shift)
    np.testing.assert_allclose(
        np.log(raw.i0[0] / raw.i1[0]), np.array(stored["y"], float), atol=1e-4
    )


def test_damaged_projects(real, tmp_path):
    whole = real("athena_prj/cu.prj").read_bytes()
    path = tmp_path / "cut.prj"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cut short or damaged"):
        probe(path, technique="xas")
    path.write_bytes(gzip.compress(b"# Athena project file -- Demeter version 0.9\n[record]\n"))
    with pytest.raises(DataError, match="Athena project without spectra"):
        probe(path, technique="xas")
    path.write_bytes(gzip.compress(b'{"_____header1": "# Athena project file", "a": {"x": ['))
    with pytest.raises(DataError, match="cut short or damaged"):
        probe(path, technique="xas")


def test_other_compressed_files_are_of_another_kind(tmp_path):
    path = tmp_path / "log.prj"
    path.write_bytes(gzip.compress(b"a log\n" * 100))
    with pytest.raises(UnknownLayoutError):
        probe(path, technique="xas")
