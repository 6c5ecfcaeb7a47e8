"""Scans of a reaction land one after the other: their series is reduced again as it grows."""

import csv
import subprocess
import sys

import h5py
import numpy as np
import pytest

from infra.simulator.xas import truth
from infra.simulator.xas.plan import NO_FAULTS, Scan, SeriesPlan
from infra.simulator.xas.write import write_series, write_standards

PLAN = SeriesPlan(
    name="redox", sweeps=6, scan=Scan(points=1500, seconds=60.0), faults=NO_FAULTS
).identified()
SERIES = "redox series"


@pytest.fixture(scope="module")
def library(platform):
    """Add the standards of the sample to a library."""
    folder = platform.folder / "standards"
    folder.mkdir()
    write_standards(folder, PLAN)
    settings = str(platform.folder / "dayseye.toml")
    command = [sys.executable, "-m", "infra.cli", "--settings", settings]
    subprocess.run([*command, "library", "add", "iron", str(folder)], check=True, timeout=120)


@pytest.fixture(scope="module")
def measured(platform):
    """Measure all scans where nobody looks; return their files in order."""
    folder = platform.folder / "measured"
    folder.mkdir()
    return sorted(write_series(folder, PLAN, "xdi").iterdir())


def results_of(platform):
    """Return the folders of the results of the series, oldest first."""
    return sorted((platform.folder / "processed" / "spectra" / "redox_series").glob("v*"))


def scans_in(folder):
    with (folder / "redox_series.csv").open() as file:
        return list(csv.DictReader(file))


def land(platform, files):
    folder = platform.folder / "spectra" / "redox"
    folder.mkdir(exist_ok=True)
    for file in files:
        file.rename(folder / file.name)


def test_the_result_of_a_series_grows_with_its_scans(platform, library, measured):
    land(platform, measured[:1])
    platform.wait_for(lambda: platform.runs("redox_00001"), 60, "the first scan is reduced")
    land(platform, measured[1:2])
    (first,) = platform.wait_for(lambda: results_of(platform), 120, "two scans are a series")
    assert [line["scan"] for line in scans_in(first)] == ["redox_00001", "redox_00002"]
    land(platform, measured[2:])
    platform.wait_for(
        lambda: len(scans_in(results_of(platform)[-1])) == PLAN.sweeps, 180, "all scans are in"
    )
    last = results_of(platform)[-1]
    lines = scans_in(last)
    assert [line["scan"] for line in lines] == [f"redox_{n:05d}" for n in range(1, 7)]
    true = truth.of(PLAN)
    for number, name in enumerate(true.names):
        found = np.array([float(line[name]) for line in lines])
        np.testing.assert_allclose(found, true.fractions[:, number], atol=0.03, err_msg=name)
    assert [float(line["time since the first scan (min)"]) for line in lines] == pytest.approx(
        range(6), abs=0.02
    )
    runs = platform.wait_for(
        lambda: (
            all(run.state == "completed" for run in platform.runs(SERIES)) and platform.runs(SERIES)
        ),
        30,
    )
    assert [run.version for run in runs] == list(range(1, len(runs) + 1))
    assert 2 <= len(runs) <= 5, "not a run for each scan"
    assert {run.actor for run in runs} == {"caretaker"}


def test_the_series_is_in_the_catalogue_with_its_scans_pictures_and_verdict(platform, measured):
    series = platform.dataset(SERIES)
    shown = platform.api.get(f"/api/datasets/{series.id}").json()
    assert shown["members"] == PLAN.sweeps
    assert shown["result"]["previews"][0]["name"] == "composition"
    assert shown["result"]["verdict"] == "ok", shown["result"]["reasons"]
    derived = shown["result"]["dataset_id"]
    lineage = platform.api.get(f"/api/datasets/{derived}/lineage").json()
    assert sum(edge["role"] == "member" for edge in lineage["edges"]) >= PLAN.sweeps
    (path,) = results_of(platform)[-1].glob("*_xas.h5")
    with h5py.File(path) as file:
        assert file["entry/definition"][()] == b"NXxas"
        assert file["entry/intensity"].shape[0] == PLAN.sweeps
        assert set(file["entry/composition/standards"][()]) == {b"Fe", b"FeO", b"Fe2O3"}


def test_a_person_resolves_the_series_without_standards(platform, measured):
    series = platform.dataset(SERIES)
    asked = platform.api.post(
        f"/api/datasets/{series.id}/runs",
        json={"recipe": {"components": 3, "standards": "none"}, "reason": "are there only three?"},
        headers=platform.token,
    )
    assert asked.status_code in (200, 201, 202), asked.text
    version = platform.runs(SERIES)[-1].version
    run = platform.wait_for(
        lambda: next(
            (r for r in platform.runs(SERIES) if r.state == "completed" and r.version == version),
            None,
        ),
        90,
    )
    assert run.parameters["components"] == 3
    with h5py.File(results_of(platform)[-1] / "redox_series_xas.h5") as file:
        assert file["entry/resolved/fractions"].shape == (PLAN.sweeps, 3)
        assert "composition" not in file["entry"]
