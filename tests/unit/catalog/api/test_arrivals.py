"""Arrivals over HTTP: who may report, which paths are taken, and that twice is once."""

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.api import create_app
from catalog.models import Inbox, TriggerStatus

TOKEN = "correct horse battery staple"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = [tmp_path / "raw", tmp_path / "more"]
    for folder in made:
        folder.mkdir()
    return made


@pytest.fixture
def report(catalog_engine: Engine, folders: list[Path]):
    """Post a report to a beamline that takes them."""
    with Session(catalog_engine) as session, session.begin():
        for name, triggers in (("imaging", ("files", "http")), ("deaf", ("files",))):
            recipes.publish_beamline(
                session,
                id=name,
                name=name,
                technique="ct",
                flow=None,
                folders=folders,
                output_template="/out/{scan}",
                triggers=triggers,
            )
    app = create_app(catalog_engine, public_url="http://127.0.0.1", prefect_ui_url="", token=TOKEN)
    with TestClient(app, base_url="http://127.0.0.1") as client:

        def post(headers=HEADERS, **changes):
            body = {"beamline": "imaging", "key": "scan-1", "paths": ["a/tooth.h5"], **changes}
            as_json = {"Content-Type": "application/json", **headers}
            return client.post("/api/arrivals", content=json.dumps(body), headers=as_json)

        yield post


def rows(engine):
    with Session(engine) as session:
        return session.scalars(select(Inbox)).all()


def test_a_report_is_one_row_however_often_it_comes(report, catalog_engine, folders):
    first = report(stage="started", sample="tooth")
    assert first.status_code == 202
    path = str(folders[0] / "a/tooth.h5")
    assert first.json() == {
        "id": first.json()["id"],
        **{"created": True, "changed": True, "paths": [path]},
    }
    again = report(stage="started", sample="tooth").json()
    assert (again["id"], again["created"], again["changed"]) == (first.json()["id"], False, False)
    assert report(stage="finished", metadata={"operator": "night"}).json()["changed"]
    (row,) = rows(catalog_engine)
    assert (row.source, row.key, row.actor, row.paths) == ("http", "scan-1", "api", [path])
    assert row.payload == {
        **{"stage": "finished", "sample": "tooth", "metadata": {"operator": "night"}}
    }
    with Session(catalog_engine) as session:
        status = session.get_one(TriggerStatus, ("imaging", "http"))
        assert (status.state, status.arrivals) == ("listening", 1)
        assert status.heard_at is not None


def test_a_relative_path_is_looked_for_in_every_folder(report, folders):
    (folders[1] / "late.h5").touch()
    assert report(paths=["late.h5"]).json()["paths"] == [str(folders[1] / "late.h5")]
    inside = str(folders[1] / "x.h5")
    assert report(paths=[inside]).json()["paths"] == [inside]


@pytest.mark.parametrize(
    "path", ["../secret.h5", "/etc/passwd", "a/../../secret", "", " ", "a\0b", "/"]
)
def test_no_path_leads_out(report, catalog_engine, path):
    answer = report(paths=[path])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"].startswith("body.paths")
    assert rows(catalog_engine) == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"beamline": "nowhere"}, 404),
        ({"beamline": "deaf"}, 409),
        ({"headers": {}}, 401),
        ({"headers": {"Authorization": "Bearer wrong"}}, 401),
        ({"stage": "maybe"}, 422),
        ({"expected_frames": 0}, 422),
        ({"started_at": "2026-11-23T10:00:00"}, 422),
        ({"paths": []}, 422),
        ({"key": ""}, 422),
        ({"key": "a\0b"}, 422),
        ({"beamline": "a\0b"}, 422),
        ({"paths": ["a\ud800b"]}, 422),
        ({"surprise": 1}, 422),
        ({"metadata": {"frame": "x" * 70_000}}, 422),
    ],
)
def test_what_is_not_right_is_refused(report, catalog_engine, changes, status):
    answer = report(**changes)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert rows(catalog_engine) == []
