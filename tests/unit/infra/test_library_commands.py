"""Spectral libraries as a person keeps them: files in, tables, files out."""

import csv
import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from catalog.errors import CatalogError, NotFound
from infra.cli import app
from infra.library_measure import merged
from infra.simulator.xas.plan import NO_FAULTS, EnergyScale, Scan, SeriesPlan
from infra.simulator.xas.standards import read_columns
from infra.simulator.xas.write import write_series, write_standards
from tasks.errors import DataError
from tasks.xas.absorption import Absorption

DATA = Path(os.environ.get("DAYSEYE_DATA", "../shared/data")) / "xas"
IRON = np.arange(7000.0, 7300.0, 1.5)


@pytest.fixture
def dayseye(catalog_engine, tmp_path):
    """Type a command on a catalogue of the test's own; its exception, if any, is passed on."""
    address = catalog_engine.url.render_as_string(hide_password=False)
    (tmp_path / "state").mkdir()
    settings = tmp_path / "dayseye.toml"
    settings.write_text(
        f"""
        state = "state"
        [services]
        dsn = "{address}"
        application_dsn = "{address}"
        prefect_dsn = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
        """
    )

    def call(*arguments):
        typed = ["--settings", str(settings), "library", *map(str, arguments)]
        said = CliRunner().invoke(app, typed, env={"COLUMNS": "300"})
        if said.exception is not None and not isinstance(said.exception, SystemExit):
            raise said.exception
        return said

    return call


@pytest.fixture
def found(dayseye):
    """Return the JSON of a command."""

    def call(*arguments):
        said = dayseye(*arguments, "--json")
        assert said.exit_code == 0, said.output
        return json.loads(said.stdout)

    return call


def edge(energy, at=7118.0, height=1.0):
    """A step with a white line."""
    distance = energy - at
    return 0.2 + height * (0.5 + np.arctan(distance) / np.pi + 0.4 * np.exp(-((distance - 3) ** 2)))


def xdi(file, energy=IRON, mu=None, **fields):
    """Write a spectrum as counts; ``Sample__name`` is the field Sample.name."""
    mu = edge(energy) if mu is None else mu
    header = {"Column.1": "energy eV", "Column.2": "i0", "Column.3": "itrans"}
    header |= {name.replace("__", "."): value for name, value in fields.items()}
    lines = ["# XDI/1.0", *(f"# {name}: {value}" for name, value in header.items()), "#----"]
    i0 = 1e5 - np.arange(len(energy))
    counts = np.stack([energy, i0, i0 * np.exp(-mu)], axis=1)
    lines += [" ".join(map(repr, row)) for row in counts.tolist()]
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(lines) + "\n")
    return file


KNOWN = {"Element__symbol": "Fe", "Element__edge": "K"}


def test_a_spectrum_goes_in_as_it_was_measured(dayseye, found, tmp_path) -> None:
    file = xdi(tmp_path / "Fe2O3_rt.xdi", Sample__name="hematite", **KNOWN)
    said = dayseye("add", "iron", file, "--origin", "APS 13-BM", "--licence", "CC0-1.0").stdout
    assert "The library iron is new; everybody sees it." in said
    assert "Fe2O3_rt" in said and "added" in said
    shown = found("show", "iron", "Fe2O3_rt")
    assert shown["energy"] == IRON.tolist()
    np.testing.assert_allclose(shown["mu"], edge(IRON), rtol=1e-12)
    told = {name: shown[name] for name in ("compound", "element", "edge", "mode", "origin")}
    assert told == {"compound": "hematite", "element": "Fe", "edge": "K", "mode": "transmission",
                    "origin": "APS 13-BM"}  # fmt: skip
    assert (shown["licence"], shown["format"]) == ("CC0-1.0", "xdi")
    assert shown["file_name"] == "Fe2O3_rt.xdi"
    assert shown["added_by"].startswith("cli:")
    said = dayseye("show", "iron", shown["id"]).stdout
    assert "hematite" in said and "200, 7000.0 to 7298.5 eV" in said


def test_adding_again_and_other_numbers(dayseye, found, tmp_path) -> None:
    file = xdi(tmp_path / "a.xdi", **KNOWN)
    [first] = found("add", "iron", file)["added"]
    [again] = found("add", "iron", file, "--compound", "rust")["added"]
    assert (again["id"], again["outcome"]) == (first["id"], "unchanged")
    assert "keeps its compound" in dayseye("add", "iron", file, "--compound", "rust").stdout
    xdi(file, mu=edge(IRON, height=2.0), **KNOWN)
    [revised] = found("add", "iron", file)["added"]
    assert (revised["outcome"], revised["revision"]) == ("revised", 2)
    assert len(found("list", "iron")) == 1
    assert [each["revision"] for each in found("list", "iron", "--retired")] == [2, 1]


def test_what_cannot_be_read_is_told_and_the_rest_goes_in(dayseye, found, tmp_path) -> None:
    folder = tmp_path / "standards"
    xdi(folder / "good.xdi", **KNOWN)
    xdi(folder / "with holes" / "good.xdi", mu=edge(IRON, at=7121), **KNOWN)
    xdi(folder / "copper.xdi", Element__symbol="Cu", Element__edge="K")
    xdi(folder / "flat.xdi", np.linspace(8770.0, 8800.0, 100), mu=np.ones(100))
    (folder / "notes.txt").write_text("hello\n")
    (folder / ".hidden.xdi").write_text("hello\n")
    result = found("add", "iron", folder, folder / "gone.xdi")
    assert [each["name"] for each in result["added"]] == ["good", "good (with holes)"]
    refused = {Path(each["file"]).name: each["why"] for each in result["refused"]}
    assert set(refused) == {"copper.xdi", "flat.xdi", "notes.txt", "gone.xdi"}
    assert "said to be Cu K (8979 eV), which it does not reach" in refused["copper.xdi"]
    assert "Say with --element and --edge" in refused["flat.xdi"]
    assert "is not there" in refused["gone.xdi"]
    assert all(name in why for name, why in refused.items())
    said = dayseye("add", "none", folder / "notes.txt")
    assert said.exit_code == 1 and "1 could not be added" in said.stdout
    with pytest.raises(NotFound):  # nothing went in, so the library was not made
        dayseye("list", "none")


def test_the_spectrum_tells_its_edge_and_a_person_knows_better(found, tmp_path) -> None:
    file = xdi(tmp_path / "rust.xdi")
    [added] = found("add", "iron", file)["added"]
    told = found("show", "iron", added["id"])
    assert (told["element"], told["edge"], told["compound"]) == ("Fe", "K", "rust")
    options = ("--element", "Eu", "--edge", "L2", "--compound", "Eu2O3", "--e0", "7617")
    result = found("add", "europium", xdi(tmp_path / "e.xdi", IRON + 480, edge(IRON)), *options)
    told = found("show", "europium", "e")
    assert (told["element"], told["edge"], told["compound"]) == ("Eu", "L2", "Eu2O3")
    assert told["e0"] == 7617
    assert result["doubts"] == []


def test_a_doubtful_edge_goes_in_and_is_told(dayseye, found, tmp_path) -> None:
    file = xdi(tmp_path / "x.xdi", np.arange(6400.0, 7300.0, 2.0), edge(
        np.arange(6400.0, 7300.0, 2.0), at=6545.0), **KNOWN)  # fmt: skip
    said = dayseye("add", "iron", file).stdout
    assert "1 to be looked at" in said and "fits Mn K" in said
    assert "fits Mn K" in found("show", "iron", "x")["metadata"]["doubt"]


def test_an_athena_project_gives_all_its_groups(found, tmp_path) -> None:
    project = tmp_path / "iron.prj"
    groups = [athena("abcd", "goethite", 0.5, 0.9), athena("efgh", "goethite", 0.0, 1.1)]
    with gzip.open(project, "wt") as file:
        file.write("# Athena project file -- Demeter version 0.9.26\n" + "".join(groups))
    result = found("add", "iron", project)
    assert [each["name"] for each in result["added"]] == ["goethite", "goethite (efgh)"]
    shifted = found("show", "iron", "goethite")
    assert shifted["energy"] == pytest.approx((IRON + 0.5).tolist())
    np.testing.assert_allclose(shifted["mu"], edge(IRON, height=0.9), rtol=1e-12)
    assert shifted["compound"] == "goethite"
    assert shifted["file_name"] == "iron.prj#abcd"


def athena(group, label, shift, height):
    x = ",".join(f"'{energy!r}'" for energy in IRON.tolist())
    y = ",".join(f"'{mu!r}'" for mu in edge(IRON, height=height).tolist())
    return (
        f"$old_group = '{group}';\n@args = ('label','{label}','datatype','xmu','bkg_z','Fe',"
        f"'fft_edge','K','bkg_eshift',{shift});\n@x = ({x});\n@y = ({y});\n[record]\n\n"
    )


def test_lists(dayseye, found, tmp_path) -> None:
    dayseye("create", "empty", "--description", "nothing yet", "--licence", "CC0-1.0")
    xdi(tmp_path / "b.xdi", Sample__name="wüstite", **KNOWN)
    xdi(tmp_path / "a.xdi", mu=edge(IRON, height=3), Sample__name="siderite", **KNOWN)
    xdi(tmp_path / "c.xdi", IRON + 1868, edge(IRON), Element__symbol="Cu", Element__edge="K")
    dayseye("add", "iron", tmp_path / "b.xdi", tmp_path / "a.xdi")
    dayseye("add", "copper", tmp_path / "c.xdi")
    names = [(each["name"], each["spectra"]) for each in found("list")]
    assert names == [("copper", 1), ("empty", 0), ("iron", 2)]
    assert [each["compound"] for each in found("list", "iron")] == ["siderite", "wüstite"]
    assert [each["library"] for each in found("list", "--element", "Cu")] == ["copper"]
    assert [each["name"] for each in found("list", "--text", "WÜSTITE")] == ["b"]
    assert "nothing yet" in dayseye("list").stdout
    assert "Fe K" in dayseye("list", "iron").stdout
    with pytest.raises(CatalogError, match="already"):
        dayseye("create", "empty")
    with pytest.raises(NotFound, match="No library 'zinc'"):
        dayseye("list", "zinc")
    assert dayseye("add", "iron", tmp_path / "a.xdi", "--mode", "xray").exit_code == 2


def test_retire(dayseye, found, tmp_path) -> None:
    dayseye("add", "iron", xdi(tmp_path / "a.xdi", **KNOWN))
    assert "it was a foil" in dayseye("retire", "iron", "a", "--reason", "it was a foil").stdout
    assert found("list", "iron") == []
    assert "retired" in dayseye("list", "iron", "--retired").stdout
    with pytest.raises(NotFound, match="No spectrum 'b'"):
        dayseye("retire", "iron", "b", "--reason", "no")


def test_what_is_exported_can_be_added_again(dayseye, found, tmp_path) -> None:
    names = ("a/b", "a_b", ".x")
    folder = tmp_path / "in"
    for number, name in enumerate(("one", "two", "three")):
        mu = edge(IRON, height=1 + number)
        xdi(folder / f"{name}.xdi", mu=mu, Sample__name=names[number], **KNOWN)
    dayseye("add", "iron", folder, "--e0", "7118.5", "--formula", "Fe2O3")
    dayseye("retire", "iron", "three", "--reason", "no")
    out = tmp_path / "out"
    assert "2 spectra of iron are in" in dayseye("export", "iron", out, "--element", "Fe").stdout
    with (out / "index.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["file"], row["compound"]) for row in rows] == [
        ("one.xdi", "a/b"), ("two.xdi", "a_b"),
    ]  # fmt: skip
    assert rows[0]["formula"] == "Fe2O3"
    found("add", "again", out / "one.xdi", out / "two.xdi")
    for name in ("one", "two"):
        before, after = found("show", "iron", name), found("show", "again", name)
        np.testing.assert_allclose(after["energy"], before["energy"], rtol=1e-11)
        np.testing.assert_allclose(after["mu"], before["mu"], rtol=1e-11)
        for fact in ("compound", "element", "edge", "e0"):
            assert after[fact] == before[fact]
    with pytest.raises(DataError, match="is not an empty folder"):
        dayseye("export", "iron", out)
    assert sorted(each.name for each in tmp_path.iterdir() if "partial" in each.name) == []


def test_sweeps_are_merged_by_mean() -> None:
    """Down and up, on other energies, with a gap, a repeated energy and one that was broken off."""
    up = np.arange(7000.0, 7200.0, 2.0)
    energy = np.stack([up, up[::-1] + 1.0, np.repeat(up[::2], 2), up])
    mu = 0.01 * energy + np.array([[0.0], [0.3], [0.0], [5.0]])
    mu[0, 5] = np.nan
    mu[3, 30:] = np.nan
    mu[2, 1::2] += 0.6  # a repeated energy counts as the mean of its points
    grid, mean = merged([Absorption(energy, mu, None, None, mu[:, 0], None)])
    assert grid.tolist() == [each for each in up if 7001 <= each <= 7196 and each != 7010]
    np.testing.assert_allclose(mean, 0.01 * grid + 0.2, rtol=1e-12)


@pytest.mark.parametrize("form", ["quick", "qex", "bliss"])
def test_sweeps_of_quick_scans_are_one_spectrum(found, tmp_path, form) -> None:
    """As a table of sweeps, as a stream that is cut at its turns, as scans of their own."""
    plan = SeriesPlan(sweeps=6, fractions=(1.0, 0.0, 0.0), faults=NO_FAULTS, scan=Scan(points=200))
    write_series(tmp_path, plan, form)
    write_standards(tmp_path, plan)
    [file] = [each for each in tmp_path.iterdir() if each.stem == "series_0001"]
    added = found("add", "iron", file, tmp_path / "Fe2O3.xdi")["added"]
    assert len(added) == (7 if form == "bliss" else 2)
    standard, series = (found("show", "iron", added[place]["id"]) for place in (-1, 0))
    assert (series["element"], series["edge"]) == ("Fe", "K")
    assert 190 <= series["points"] <= 200  # those of one sweep
    energy = np.arange(7090.0, 7160.0)
    one, other = (np.interp(energy, each["energy"], each["mu"]) for each in (standard, series))
    assert np.corrcoef(one, other)[0, 1] > 0.998


@pytest.fixture
def standard(tmp_path):
    """Write a standard of the simulator with its foil, some eV off; with what columns is chosen."""

    simulated = tmp_path / "simulated"
    simulated.mkdir()
    write_standards(simulated, SeriesPlan(faults=NO_FAULTS))
    columns = read_columns(simulated / "Fe2O3.xdi")

    def write(name, shift=0.0, foil=True, as_mu=False):
        energy, i0, i1 = (columns[each] for each in ("energy", "i0", "itrans"))
        i2 = columns["irefer"] if foil else np.random.default_rng(0).normal(1e5, 300, len(i1))
        table = {"energy eV": energy + shift, "i0": i0, "itrans": i1, "irefer": i2}
        if as_mu:
            table = {"energy eV": energy + shift, "mutrans": np.log(i0 / i1)}
            table["murefer"] = np.log(i1 / i2)
        header = {"Element.symbol": "Fe", "Element.edge": "K"}
        header |= {f"Column.{at}": name for at, name in enumerate(table, start=1)}
        lines = ["# XDI/1.0", *(f"# {each}: {value}" for each, value in header.items()), "#----"]
        lines += [" ".join(map(repr, row)) for row in np.stack([*table.values()], 1).tolist()]
        file = tmp_path / f"{name}.xdi"
        file.write_text("\n".join(lines) + "\n")
        return file

    return write


def test_a_spectrum_keeps_where_its_foil_was_seen(dayseye, found, standard) -> None:
    """From counts or from absorption that the file holds itself."""
    files = standard("good"), standard("off", 1.3), standard("held", 1.3, as_mu=True)
    ids = [each["id"] for each in found("add", "iron", *files)["added"]]
    good, off, held = (found("show", "iron", each)["metadata"]["foil"] for each in ids)
    assert (good["element"], good["edge"]) == ("Fe", "K")
    assert good["energy"] == pytest.approx(7112.0, abs=0.1)  # where the simulator has its iron
    assert 0 < good["sigma"] < 0.1
    assert off["energy"] - good["energy"] == pytest.approx(1.3, abs=0.002)
    assert held == off
    shown = f"Fe K seen at {off['energy']} ± {off['sigma']} eV"
    assert shown in dayseye("show", "iron", "off").stdout
    energy, mu = (np.array(off["spectrum"][each]) for each in ("energy", "mu"))
    assert energy.min() < 7090 and energy.max() > 7160
    assert mu[energy > 7130].mean() - mu[energy < 7100].mean() == pytest.approx(1.6, abs=0.1)


def test_a_spectrum_without_a_foil_goes_in_all_the_same(found, standard) -> None:
    files = standard("none", foil=False), standard("far", 24.0)
    ids = [each["id"] for each in found("add", "iron", *files)["added"]]
    assert all("foil" not in found("show", "iron", each)["metadata"] for each in ids)


@pytest.mark.parametrize("form", ["quick", "qex", "bliss"])
def test_the_foil_of_many_sweeps(found, tmp_path, form) -> None:
    scale = EnergyScale(trend=0.0, oscillation=0.0, jitter=0.05, hysteresis=0.0, offset=-2.0)
    plan = SeriesPlan(sweeps=6, faults=NO_FAULTS, scale=scale, scan=Scan(points=1000))
    added = found("add", "iron", write_series(tmp_path, plan, form))["added"]
    for each in added:
        foil = found("show", "iron", each["id"])["metadata"]["foil"]
        assert (foil["element"], foil["edge"]) == ("Fe", "K")
        assert foil["energy"] == pytest.approx(7110.0, abs=0.3)


def test_too_few_points_are_no_spectrum() -> None:
    few = np.arange(7000.0, 7009.0)[None]
    with pytest.raises(DataError, match="too few points"):
        merged([Absorption(few, few, None, None, few[:, 0], None)])


@pytest.mark.skipif(not DATA.exists(), reason="DAYSEYE_DATA names no folder with real data")
def test_real_files_of_many_formats(found) -> None:
    places = ("library_xdi/Fe", "athena_prj/cyanobacteria.prj", "nxxas/Fe_XDIFiles.h5",
              "beamline_ascii/SSRL1_2006.dat", "esrf_bliss")  # fmt: skip
    result = found("add", "real", *(DATA / place for place in places))
    assert {Path(each["file"]).name for each in result["refused"]} == set()
    told = [(each["format"], each) for each in map(
        lambda spectrum: found("show", "real", spectrum["id"]), result["added"])]  # fmt: skip
    assert {name for name, _ in told} == {"xdi", "athena", "nxxas", "columns", "bliss"}
    edges = {(each["element"], each["edge"]) for _, each in told}
    assert edges == {("Fe", "K"), ("Au", "L3"), ("Ag", "K")}
    goethite = found("show", "real", "Hansel2001_goethite_xanes_003")
    assert (goethite["compound"], goethite["energy_min"]) == ("goethite", 7062.003)
    assert goethite["mu"][0] == pytest.approx(np.log(102436.5 / 192259.5), rel=1e-9)
