"""Access and provenance on a live platform: the commands, the API and the pages together."""

import json
import subprocess
import sys

import pytest
from rocrate.rocrate import ROCrate


@pytest.fixture(scope="module")
def dayseye(platform):
    """Call the command with the platform's settings; returns what it said."""

    def call(*arguments: str) -> str:
        settings = str(platform.folder / "dayseye.toml")
        done = subprocess.run(
            [sys.executable, "-m", "infra.cli", "--settings", settings, *arguments],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


@pytest.fixture(scope="module")
def scan(platform, dayseye) -> dict:
    """A scan with its result."""
    platform.drop_scan("traced", seed=77)
    platform.wait_for(
        lambda: any(run.state == "completed" for run in platform.runs("traced")), 120, "a result"
    )
    return json.loads(dayseye("show", "traced", "--json"))


def test_a_run_tells_its_machine_and_a_verdict_its_rules(platform, dayseye, scan) -> None:
    run = platform.api.get(f"/api/runs/{scan['runs'][0]['id']}").json()
    machine = run["attempt_list"][0]["machine"]
    assert machine["lock_digest"].startswith("sha256:")
    assert machine["packages"]["finufft"]
    assert machine["cpu"]
    (verdict,) = json.loads(dayseye("verdict", "traced", "--json"))
    assert verdict["rules_version"] == "ct/1"


def test_a_crate_from_the_command_line_is_read_back(dayseye, scan, tmp_path) -> None:
    dayseye("crate", scan["id"], str(tmp_path / "crate"), "--files")
    crate = ROCrate(tmp_path / "crate")
    kinds = [kind for each in crate.get_entities() for kind in [each.type] if kind]
    assert kinds.count("ControlAction") >= 2
    assert (tmp_path / "crate" / "result").is_dir()
    assert list((tmp_path / "crate" / "result").glob("*.nxs")) or list(
        (tmp_path / "crate" / "result").glob("*.h5")
    )
    assert json.loads(dayseye("prov", scan["id"]))["wasGeneratedBy"]


def test_history_and_lineage_in_the_terminal(dayseye, scan) -> None:
    events = [each["event"] for each in json.loads(dayseye("history", scan["id"], "--json"))]
    assert events[0] == "registered"
    assert "completed" in events
    tree = dayseye("lineage", scan["id"])
    assert "became" in tree
    assert "ct-reduction" in tree


def test_a_token_a_grant_and_what_they_show(platform, dayseye, scan) -> None:
    made = json.loads(dayseye("token", "create", "li.wei", "--days", "1", "--json"))
    as_li = {"Authorization": f"Bearer {made['token']}"}
    path = f"/api/datasets/{scan['id']}"
    wish = {"visibility": "public", "reason": "the paper is out"}
    # this platform is on the loopback: all is shown, and nothing may be changed without a grant
    assert platform.api.get(path).status_code == 200
    assert platform.api.post(f"{path}/visibility", json=wish).status_code == 401
    assert platform.api.post(f"{path}/visibility", json=wish, headers=as_li).status_code == 403
    dayseye("embargo", scan["id"], "--reason", "a test", "--until", "2026-01-01", "--with-results")
    published = platform.wait_for(
        lambda: platform.api.get(path).json()["visibility"] == "public", 90, "the embargo's end"
    )
    assert published
    dayseye("token", "revoke", made["id"])
    assert platform.api.get(path, headers=as_li).status_code == 401
