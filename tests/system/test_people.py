"""What people decide about data, as they type it, on a live platform."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from infra.simulator import faults
from infra.simulator.phantom import Geometry
from infra.simulator.plan import ScanPlan

PLAN = ScanPlan(geometry=Geometry(columns=96, rows=8, projections=91, axis=46.3), seed=61)
WHY = ("--reason", "it is enough")


@pytest.fixture(scope="module")
def dayseye(platform):
    """Call the command with the platform's settings; it must succeed; returns what it said."""

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
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def wait_for_state(platform, name, state, seconds=40):
    def is_so():
        dataset = platform.dataset(name)
        return dataset if dataset is not None and dataset.state == state else None

    return platform.wait_for(is_so, seconds, f"{name} {state}")


def result(dayseye, dataset):
    return json.loads(dayseye("show", str(dataset.id), "--json"))["result"]


def test_what_exists_of_a_scan_is_reduced_when_a_person_accepts_it(platform, dayseye):
    plan = replace(PLAN, name="lacks").identified()
    path = faults.frames_lost(platform.folder / "hasty", plan, share=0.1)
    dataset = wait_for_state(platform, "lacks", "incomplete")
    told = dayseye("explain", str(path))
    assert "Beamline    hasty" in told
    assert f"Catalogue   lacks {dataset.id}: incomplete" in told
    assert "lacks" in dayseye("quarantine", "list", "--all")
    assert dayseye("accept", "lacks", *WHY).strip() == "lacks is validated."
    platform.wait_for(lambda: result(dayseye, dataset), 120, "the result of what exists")
    found = result(dayseye, dataset)
    assert found["verdict"] == "check"
    assert "accepted as it is" in " ".join(found["reasons"])


def test_an_aborted_run_is_set_aside_with_its_reason(platform, dayseye):
    plan = replace(PLAN, name="dumped", seed=62).identified()
    path = faults.frames_lost(platform.folder / "hasty", plan, share=0.1)
    answer = platform.api.post(
        "/api/arrivals",
        headers=platform.token,
        json={
            "beamline": "hasty",
            "paths": [str(path)],
            "key": "dumped-1",
            "stage": "aborted",
            "reason": "beam dump",
            "proposal": "p-7",
        },
    )
    assert answer.status_code == 202, answer.text
    dataset = wait_for_state(platform, "dumped", "aborted")
    assert "beam dump" in dataset.state_reason
    assert "p-7 (from report)" in dayseye("explain", str(path))


def test_a_recheck_looks_at_the_files_now(platform, dayseye):
    faults.truncated(platform.folder / "hasty", replace(PLAN, name="cut", seed=63).identified())
    dataset = wait_for_state(platform, "cut", "quarantined")
    said = dayseye("quarantine", "recheck", str(dataset.id), "--reason", "was it the disk?")
    assert said.startswith("cut is quarantined: ")


def test_whose_data_they_are_and_of_what(platform, dayseye, tmp_path):
    platform.drop_scan("nobodys", seed=64, folder="hasty")
    dataset = platform.wait_for(lambda: platform.dataset("nobodys"), 40, "the scan")
    dayseye("assign", "nobodys", "--proposal", "p-8", "--visit", "2", "--sample", "molar", *WHY)
    dayseye("sample", "set", "molar", "--proposal", "p-8", "--set", "density=3.1", *WHY)
    table = tmp_path / "samples.csv"
    table.write_text("sample,proposal,formula,thickness\nmolar,p-8,Ca5(PO4)3OH,2.5\n")
    said = dayseye("sample", "set", "--csv", str(table), *WHY)
    assert "Ca5(PO4)3OH" in said
    history = dayseye("show", str(dataset.id))
    assert "assigned" in history
    assert "sample_corrected" in history
