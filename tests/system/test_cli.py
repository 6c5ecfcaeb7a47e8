"""The command line on a live platform, as a person types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.simulator import faults
from infra.simulator.phantom import Geometry
from infra.simulator.plan import ScanPlan
from infra.simulator.scan import write_scan

PLAN = ScanPlan(geometry=Geometry(columns=96, rows=8, projections=91, axis=46.3), seed=60)
TOOTH = Path(os.environ.get("DAYSEYE_DATA", "../shared/data")) / "ct" / "tooth.h5"


@pytest.fixture(scope="module")
def dayseye(platform):
    """Call the command with the platform's settings; returns status, what it said, and errors."""

    def call(*arguments):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "infra.cli"),
                *("--settings", str(platform.folder / "dayseye.toml")),
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return call


def answer(call, *arguments):
    """Return the JSON of a query that must succeed."""
    status, said, error = call(*arguments, "--json")
    assert status == 0, error
    return json.loads(said)


@pytest.fixture(scope="module")
def scan(dayseye, tmp_path_factory):
    """Hand over a scan from a folder that nobody watches, and wait for its result."""
    path = write_scan(tmp_path_factory.mktemp("elsewhere"), PLAN.identified())
    (dataset,) = answer(dayseye, "ingest", str(path), "--beamline", "bl07", "--wait")
    return dataset


def test_ingest_waits_for_the_result(scan):
    assert scan["state"] == "validated"
    assert scan["result"]["version"] == 1


def test_a_dataset_is_shown_by_id_and_in_the_list(dayseye, scan):
    listed = answer(dayseye, "datasets", "--text", scan["name"])
    assert scan["id"] in [each["id"] for each in listed]
    shown = answer(dayseye, "show", scan["id"])
    assert shown["files"][0]["path"].endswith("scan_0001.h5")
    status, table, _ = dayseye("show", scan["id"])
    assert status == 0
    assert "registered" in table


def test_another_axis_is_a_new_version(platform, dayseye, scan):
    run = answer(dayseye, "reduce", scan["id"], "--set", "rotation_axis=45.5", "--reason", "try it")
    run = run[0]
    platform.wait_for(
        lambda: answer(dayseye, "show", scan["id"])["result"]["version"] == 2, 90, "version 2"
    )
    listed = {each["id"]: each for each in answer(dayseye, "runs")}
    assert listed[run["id"]]["state"] == "completed"
    assert listed[run["id"]]["reason"] == "try it"


def test_a_wrong_parameter_is_named_with_what_is_allowed(dayseye, scan):
    status, _, error = dayseye("reduce", scan["id"], "--set", "filter=sharp")
    assert status == 1
    assert "filter" in error
    assert "hann" in error
    assert "Traceback" not in error


def test_what_is_not_there_is_one_sentence(dayseye):
    for arguments in (("show", "nothing-like-this"), ("ingest", "/no/such.h5", "--beamline", "x")):
        status, _, error = dayseye(*arguments)
        assert status == 1
        assert error.strip()
        assert "Traceback" not in error


def test_broken_data_are_quarantined_and_the_status_says_so(dayseye, tmp_path):
    path = faults.text_named_h5(tmp_path, PLAN)
    status, said, _ = dayseye("ingest", str(path), "--beamline", "hasty", "--wait", "--json")
    (dataset,) = json.loads(said)
    assert status == 1
    assert dataset["state"] == "quarantined"
    found = answer(dayseye, "status")
    assert found["services"]["postgres"]["stage"] == "ready"
    assert "quarantined" in json.dumps(found)


def test_the_doctor_finds_the_platform_well(dayseye):
    findings = answer(dayseye, "doctor")
    assert not [finding for finding in findings if finding["level"] == "bad"]


def test_a_real_scan_is_reduced_about_its_axis(platform, dayseye):
    if not TOOTH.is_file():
        pytest.skip(f"no real data: {TOOTH} is not there; DAYSEYE_DATA names the folder")
    (dataset,) = answer(dayseye, "ingest", str(TOOTH), "--beamline", "bl07", "--wait")
    (run,) = platform.runs("tooth")
    assert abs(run.figures["rotation_axis"] - 295.3) < 1.0
    assert dataset["result"]["verdict"] == "check", "its file has no pixel size"
    assert "pixel size" in " ".join(dataset["result"]["reasons"])
