"""Pauses, reprocessing and retries over HTTP."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import Run
from catalog.runs import fail

from .conftest import TOKEN, World

STAFF = {"Authorization": f"Bearer {TOKEN}"}


def test_a_pause_is_told_and_ends(world: World, fresh_client: TestClient) -> None:
    world.land("held")
    wish = {"reason": "beam dump", "actor": "ann"}
    paused = fresh_client.post("/api/beamlines/imaging/pause", json=wish, headers=STAFF)
    assert paused.status_code == 204
    (told,) = fresh_client.get("/api/beamlines/paused", headers=STAFF).json()
    assert (told["beamline"], told["by"], told["reason"], told["waiting"]) == (
        "imaging",
        "ann",
        "beam dump",
        1,
    )
    (run,) = fresh_client.get("/api/runs", headers=STAFF).json()["items"]
    assert run["waits_for"] == "imaging is paused by ann: beam dump"
    resumed = fresh_client.post("/api/beamlines/imaging/resume", headers=STAFF)
    assert resumed.status_code == 204
    assert fresh_client.get("/api/beamlines/paused", headers=STAFF).json() == []
    unknown = fresh_client.post("/api/beamlines/imagign/pause", json=wish, headers=STAFF)
    assert unknown.status_code == 404


def test_reprocess_is_told_first_and_asked_for_once(world: World, fresh_client: TestClient) -> None:
    for name in ("one", "two"):
        world.land(name)
    wish = {"beamline": "imaging", "recipe": {"filter": "hann"}, "reason": "softer"}
    told = fresh_client.post("/api/reprocess", json=wish | {"dry_run": True}, headers=STAFF)
    assert told.status_code == 200
    assert (told.json()["datasets"], told.json()["dry_run"]) == (2, True)
    asked = fresh_client.post("/api/reprocess", json=wish, headers=STAFF)
    assert (asked.status_code, asked.json()["datasets"]) == (202, 2)
    assert asked.json()["request"] == told.json()["request"]
    twice = fresh_client.post("/api/reprocess", json=wish, headers=STAFF).json()
    assert (twice["datasets"], twice["already"]) == (0, 2)
    with Session(world.engine) as session:
        assert len(session.scalars(select(Run.id)).all()) == 4


@pytest.mark.parametrize(
    ("change", "word"), [({"recipe": {"filter": "shepp"}}, "hann"), ({"request": "a/b"}, "request")]
)
def test_a_wish_that_does_not_fit_is_refused_whole(
    world: World, fresh_client: TestClient, change: dict[str, object], word: str
) -> None:
    world.land("one")
    wish = {"beamline": "imaging", "reason": "softer"} | change
    refused = fresh_client.post("/api/reprocess", json=wish, headers=STAFF)
    assert refused.status_code == 422
    assert word in refused.text
    with Session(world.engine) as session:
        assert len(session.scalars(select(Run.id)).all()) == 1


def test_a_failed_run_is_tried_again_and_one_that_waits_is_not(
    world: World, fresh_client: TestClient
) -> None:
    raw = world.land("one").dataset_id
    held = world.begin(raw, "flow-run")
    fail(world.engine, held, "ValueError: no")
    retry = f"/api/runs/{held.run_id}/retry"
    tried = fresh_client.post(retry, json={"reason": "mended"}, headers=STAFF)
    assert (tried.status_code, tried.json()["state"]) == (202, "waiting")
    twice = fresh_client.post(retry, json={}, headers=STAFF)
    assert twice.status_code == 409
    assert "only one that failed" in twice.json()["detail"]
