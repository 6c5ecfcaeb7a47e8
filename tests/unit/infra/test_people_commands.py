"""What people type about data, with a catalogue behind it and no platform."""

import json

import pytest
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from catalog import recipes
from catalog.arrivals import SightedFile, Sighting, record
from infra.cli import app

WHY = ("--reason", "a person knows")


@pytest.fixture
def settings(catalog_engine, tmp_path):
    """Settings that name the test's catalogue; its beamline is published."""
    address = catalog_engine.url.render_as_string(hide_password=False)
    (tmp_path / "state").mkdir()
    (tmp_path / "raw").mkdir()
    file = tmp_path / "dayseye.toml"
    file.write_text(
        f"""
        state = "state"
        [services]
        dsn = "{address}"
        application_dsn = "{address}"
        prefect_dsn = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
        [[beamlines]]
        id = "imaging"
        folders = ["raw"]
        output = "processed/{{scan}}"
        """
    )
    with Session(catalog_engine) as session, session.begin():
        recipes.publish_flow(session, "ct", "ct", "1", {"properties": {}})
        recipes.publish_beamline(
            session,
            id="imaging",
            name="Imaging",
            technique="ct",
            flow="ct",
            folders=[tmp_path / "raw"],
            output_template=f"{tmp_path}/processed/{{scan}}",
        )
    return file


@pytest.fixture
def dayseye(settings):
    """Type a command; its exception, if any, is passed on."""

    def call(*arguments):
        said = CliRunner().invoke(app, ["--settings", str(settings), *arguments])
        if said.exception is not None and not isinstance(said.exception, SystemExit):
            raise said.exception
        return said

    return call


@pytest.fixture
def land(catalog_engine, settings):
    def see(name, **about):
        file = SightedFile(
            storage=str(settings.parent / "raw"),
            path=f"{name}.h5",
            inner_path="",
            role="data",
            size=1,
            mtime_ns=1,
            fingerprint=name,
        )
        values = {"stage": "complete", "kind": "raw", "files": [file], "technique": "ct"}
        with Session(catalog_engine) as session, session.begin():
            sighting = Sighting(
                beamline="imaging", entry_key=name, name=name, **{**values, **about}
            )
            return record(session, sighting).dataset_id

    return see


def test_quarantine(dayseye, land):
    land("cut", stage="broken", reason="It is cut short.")
    land("short", stage="incomplete", reason="3 of 10 frames", format="dxchange")
    [listed] = json.loads(dayseye("quarantine", "list", "--json").stdout)
    assert (listed["name"], listed["reason"]) == ("cut", "It is cut short.")
    assert "short" in dayseye("quarantine", "list", "--all").stdout
    assert dayseye("accept", "short", *WHY).stdout == "short is validated.\n"
    assert dayseye("quarantine", "put", "short", *WHY).stdout == "short is quarantined.\n"
    assert dayseye("quarantine", "release", "short", *WHY).stdout == "short is validated.\n"
    waited = dayseye("quarantine", "recheck", "cut", "--wait", "0")
    assert waited.exit_code == 1 and "was not looked at within 0 s" in waited.stdout


def test_assign_and_samples(dayseye, land, tmp_path):
    land("scan")
    said = dayseye("assign", "scan", "--proposal", "p1", "--sample", "molar", *WHY).stdout
    assert "not known" in said and "molar" in said
    said = dayseye(
        "sample", "set", "molar", "--proposal", "p1", "--set", "cell=1 2 3 90 90 120", *WHY
    ).stdout
    assert "1 2 3 90 90 120" in said
    table = tmp_path / "samples.csv"
    table.write_text("sample,proposal,density\nmolar,p1,3.1\n")
    [change] = json.loads(dayseye("sample", "set", "--csv", str(table), "--json", *WHY).stdout)
    assert change["after"] == {"density": 3.1}
    assert dayseye("sample", "set", *WHY).exit_code == 2


def test_affected(dayseye, land):
    land("flats", kind="calibration", calibration_kinds=("flat",))
    land("scan", needs=("flat",))
    said = dayseye("affected", "flats").stdout
    assert "scan" in said and "none yet" in said and "the same" in said


def test_explain(dayseye, land, settings):
    land("scan")
    path = settings.parent / "raw" / "scan.h5"
    path.write_text("hello")
    said = dayseye("explain", str(path)).stdout
    assert "Beamline    imaging" in said
    assert "Catalogue   scan" in said and "validated" in said
    found = json.loads(dayseye("explain", str(path), "--json").stdout)
    assert found["catalogue"][0]["state"] == "validated"
