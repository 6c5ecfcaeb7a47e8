"""Scans reduced one by one are reduced together: composition in time, against the truth."""

import csv
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from flows.xas.normalisation import normalise_sweeps
from flows.xas.series import gridding, interpretation, members, pictures, results
from flows.xas.series.recipe import Recipe
from flows.xas.series.report import metadata, quality
from flows.xas.series.types import Result
from flows.xas.series.verdict import judgement, summary
from infra.simulator.xas import truth
from tasks.errors import DataError
from tasks.io.probe import probe
from tasks.io.spectra import ScanReference, open_spectra
from tasks.xas.series_block import Place, ReadOrder, RowsOrder, fill_rows, read_block
from tests.unit.flows.xas.series_truth import PLAN, Run, library_of, reduced_scans


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return library_of(tmp_path_factory.mktemp("library") / "standards", PLAN)


@pytest.fixture(scope="module")
def scans(tmp_path_factory, library):
    return reduced_scans(tmp_path_factory.mktemp("scans"), PLAN, library)


@pytest.fixture
def reduce(tmp_path, library):
    """Walk results through the stages of the flow."""

    def walk(inputs, lost=(), **asked):
        run, recipe = Run(tmp_path / "series", library, inputs, lost), Recipe(**asked)
        found = members.read_members(run, recipe)
        gridded = gridding.bring_onto_grid(run, found)
        spectrum = normalise_sweeps(run, found.recipe, gridded.opened, gridded.sweeps)
        explained = interpretation.interpret(run, recipe, found, gridded, spectrum)
        return run, Result(found, gridded, spectrum, explained)

    return walk


def wanted(composition):
    """Return the true fractions in the order of the standards fitted."""
    true = truth.of(PLAN)
    return true.fractions[:, [list(true.names).index(name) for name in composition.names]]


def test_the_composition_in_time_is_that_of_the_sample(reduce, scans):
    _, result = reduce(scans[::-1])
    composition = result.explained.interpreted.composition
    apart = composition.sweep_fractions - wanted(composition)
    assert np.sqrt(np.mean(apart**2)) < 0.005
    assert np.abs(apart).max() < 0.015
    assert (composition.sweep_sigma > 0).all()
    np.testing.assert_allclose(result.members.axis.values, np.arange(8.0))
    assert result.members.axis.unit == "min"
    judged = judgement(result)
    assert (judged.verdict, judged.rules_version) == ("ok", "xas-series/1")
    assert summary(result).startswith("8 scans of the Fe K edge in 7 min; Fe 0% to 8")


def test_foils_fitted_to_one_another_agree_better_than_each_with_its_table(reduce, scans):
    _, result = reduce(scans)
    off = truth.of(PLAN).offset
    alone = np.array([each.facts.offset for each in result.members.kept]) + off
    together = result.gridded.alignment.shift + off
    assert np.std(together) < 0.5 * np.std(alone)
    assert np.std(together) < 0.03


def test_on_their_own_grid_spectra_stay_as_they_are(scans, tmp_path):
    with h5py.File(scans[0].path) as file:
        energy, mu, sigma, step = (
            file[f"entry/absorption/{name}"][()]
            for name in ("energy", "mu", "mu_errors", "edge_step")
        )
    files = {name: str(tmp_path / f"{name}.npy") for name in ("grid", "mu", "sigma")}
    np.save(files["grid"], energy[2:-2])
    for name in ("mu", "sigma"):
        np.save(files[name], np.zeros((3, len(energy) - 4)))
    block = str(tmp_path / "block.npz")
    read = read_block(ReadOrder(0, (str(tmp_path / "none.h5"), str(scans[0].path)), block), cores=1)
    assert "is not there" in read.facts[0]
    assert read.facts[1].edge_step == step
    fill_rows(RowsOrder(1, (Place(block, 1),), (float(step),), (0.0,), **files), cores=1)
    for name, values in (("mu", mu), ("sigma", sigma)):
        found = np.load(files[name])
        np.testing.assert_allclose(found[1], values[2:-2] / step, rtol=1e-9)
        assert not found[[0, 2]].any()


def test_files_hold_all_scans_and_are_read_again(reduce, scans, tmp_path):
    run, result = reduce(scans, components=3, groups=2)
    results.write(run, Recipe(components=3, groups=2), result)
    assert [role for _, role, _ in run.outputs] == ["spectra", "table"]
    path = run.folder / "redox_xas.h5"
    with h5py.File(path) as file:
        entry = file["entry"]
        assert entry["intensity"].shape == (8, len(entry["energy"]))
        assert [name.decode() for name in entry["scans/name"]] == [each.name for each in scans]
        assert entry["scans/result"][0].decode() == str(scans[0].dataset_id)
        assert entry["composition/fractions"].shape == (8, 3)
        assert entry["composition/position"].attrs["units"] == "min"
        np.testing.assert_allclose(entry["resolved/fractions"][()].sum(axis=1), 1)
        assert set(entry["groups/group"][()]) == {1, 2}
        above = entry["energy"][()] - entry["mean/e0"][()]
        near = (above > 30) & (above < 150)
        np.testing.assert_allclose(entry["intensity"][:, near].mean(axis=1), 1, atol=0.06)
        noise = np.median(np.abs(np.diff(entry["intensity"][:, above < -40], axis=1))) / 0.954
        assert noise < np.median(entry["intensity_errors"]) < 4 * noise, "bins hold several points"
    (found,) = probe(path, technique="xas")
    with open_spectra(ScanReference(str(path), found.inner_path, found.format)) as spectra:
        assert spectra.shape[0] == 8
        assert (spectra.facts.element, spectra.facts.edge) == ("Fe", "K")
    with (run.folder / "redox.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["scan"] for line in lines] == [each.name for each in scans]
    assert float(lines[3]["time since the first scan (min)"]) == 3.0
    assert sum(float(lines[5][name]) for name in PLAN.names) == pytest.approx(1, abs=1e-4)
    assert quality(result)["composition_last"]["Fe"]["fraction"] > 0.8
    assert metadata(result)["last_scan"] == scans[-1].name


def test_all_pictures_are_drawn_the_composition_first(reduce, scans):
    run, result = reduce(scans, components=2, groups=2)
    drawn = pictures.draw(run, result)
    assert drawn == [
        "composition.png",
        "spectra.png",
        "combination.png",
        "components.png",
        "resolved.png",
        "groups.png",
    ]
    assert all((run.folder / name).stat().st_size > 10_000 for name in drawn)


def test_two_scans_are_enough_and_more_components_than_scans_wait(reduce, scans):
    _, result = reduce(scans[:2], components=3, groups=4)
    assert result.explained.interpreted.composition.sweep_fractions.shape == (2, 3)
    assert result.explained.interpreted.components is None
    assert result.explained.resolved is None
    assert result.explained.groups is None


def test_a_standard_that_is_missing_is_noticed(reduce, scans):
    _, result = reduce(scans, compounds=["Fe", "Fe2O3"])
    assert judgement(result).verdict == "check"
    assert "component is missing" in judgement(result).sentences[0]


def test_without_standards_the_series_has_spectra_and_components(reduce, scans):
    run, result = reduce(scans, standards="none")
    assert result.explained.interpreted.composition is None
    assert result.explained.interpreted.components.by_noise >= 3
    assert pictures.draw(run, result)[0] == "spectra.png"
    results.write(run, Recipe(), result)
    assert "Fe" not in (run.folder / "redox.csv").read_text().splitlines()[0]


def broken(scan, folder, change):
    """Return a copy of a result, changed."""
    path = shutil.copy(scan.path, folder / f"{scan.name}.h5")
    change(path)
    return replace(scan, path=type(scan.path)(path))


def copper(path):
    with h5py.File(path, "r+") as file:
        del file["entry/element/symbol"]
        file["entry/element/symbol"] = "Cu"


def torn(path):
    path.write_bytes(path.read_bytes()[:5000])


def no_foil(path):
    with h5py.File(path, "r+") as file:
        file["entry/absorption/energy"][()] -= file["entry/energy_scale/offset"][()]
        del file["entry/energy_scale"]


@pytest.mark.parametrize(
    ("change", "rule", "word"),
    [(copper, "element", "Cu K"), (torn, "scans", "cut short"), (no_foil, "energy", "foil")],
)
def test_one_odd_result_stops_no_series(reduce, scans, tmp_path, change, rule, word):
    odd = broken(scans[3], tmp_path, change)
    _, result = reduce([*scans[:3], odd, *scans[4:]])
    assert result.doubts.keys() == {rule}
    assert word in result.doubts[rule][0]
    assert scans[3].name in result.doubts[rule][0]
    composition = result.explained.interpreted.composition
    assert len(composition.sweep_fractions) == (8 if change is no_foil else 7)


def test_scans_without_result_are_told_those_to_be_checked_counted(reduce, scans):
    doubtful = replace(scans[0], verdict="check")
    _, result = reduce([doubtful, *scans[1:]], lost=["redox_00009"])
    judged = judgement(result)
    assert judged.doubts == (
        (
            "scans",
            "1 scan of the series has no result (redox_00009): look at why, and try again.",
        ),
    )
    assert quality(result)["scans_to_be_checked"] == 1, "the series is judged by its own fits"


def test_one_scan_is_no_series(reduce, scans):
    bad = [replace(each, verdict="bad") for each in scans[1:]]
    with pytest.raises(DataError, match=r"1 can be used, and it takes two. redox_00002 .* bad"):
        reduce([scans[0], *bad])
