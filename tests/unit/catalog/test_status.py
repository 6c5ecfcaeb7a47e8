"""What operators read: paused beamlines, triggers, what work waits for, what needs a person."""

import importlib
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from rich.console import Console
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from catalog import pauses, queries, trigger_status
from catalog.api import create_app
from catalog.arrivals import Recorded
from catalog.lifecycle import note
from catalog.models import Dataset, Dispatch, Notification, Replica, uuid7
from infra import cli_tables

TOKEN = "of the test"
HEARD = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def busy(engine: Engine, sight: Callable[..., Recorded]) -> Engine:
    """A beamline that is paused, with two scans that wait, triggers and things to look at."""
    first = sight("first")
    sight("second")
    with Session(engine) as session, session.begin():
        pauses.pause(session, "imaging", "staff", "the detector is being changed")
        session.execute(update(Dispatch).values(waits_for="imaging is paused by staff"))
        tell = trigger_status.tell
        tell(session, "imaging", "files", state="listening", heard_at=HEARD, arrivals=2)
        tell(session, "imaging", "bluesky", state="silent", refused=3, note="pickle refused")
        dataset = session.get_one(Dataset, first.dataset_id)
        note(session, dataset, "raw_changed", actor="verify", alarm=True)
        session.add(Replica(dataset_id=dataset.id, place="/copies", state="damaged", actor="me"))
        session.add(Notification(id=uuid7(), kind="failure", key=str(uuid4()), message="failed",
                                 last_error="connection refused"))  # fmt: skip
    return engine


def test_a_beamline_says_that_it_is_paused_and_what_waits(busy: Engine) -> None:
    with Session(busy) as session:
        (beamline,) = queries.status(session).beamlines
    assert (beamline.id, beamline.paused_by) == ("imaging", "staff")
    assert beamline.pause_reason == "the detector is being changed"
    assert (beamline.backlog, beamline.running) == (2, 0)
    assert beamline.last_arrival is not None


def test_triggers_say_how_they_are(busy: Engine) -> None:
    with Session(busy) as session:
        bluesky, files = queries.status(session).beamlines[0].triggers
    assert (files.kind, files.state, files.heard_at) == ("files", "listening", HEARD)
    assert (bluesky.state, bluesky.refused, bluesky.note) == ("silent", 3, "pickle refused")


def test_what_needs_a_person_is_counted(busy: Engine) -> None:
    with Session(busy) as session:
        status = queries.status(session)
    assert (status.copies_damaged, status.alarms) == (1, 1)
    assert status.notifications > 0
    assert status.notification_error == "connection refused"
    (reason,) = status.waits_for
    assert (reason.waits_for, reason.dispatches) == ("imaging is paused by staff", 2)


def test_many_are_counted_to_an_end_and_then_estimated(
    busy: Engine, owner_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE dataset")
    counts = importlib.import_module("catalog.queries.status")  # the package has it as a function
    monkeypatch.setattr(counts, "COUNTED", 1)
    with Session(busy) as session:
        assert queries.status(session).datasets == {"validated": 2}


def test_metrics_have_the_beamline_and_its_triggers(busy: Engine) -> None:
    app = create_app(busy, public_url="http://testserver", prefect_ui_url="", token=TOKEN)
    client = TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"})
    metrics = client.get("/metrics").text
    for line in (
        'dayseye_beamline_paused{beamline="imaging"} 1.0',
        'dayseye_beamline_backlog{beamline="imaging"} 2.0',
        'dayseye_trigger_listening{beamline="imaging",kind="bluesky"} 0.0',
        'dayseye_trigger_refused_total{beamline="imaging",kind="bluesky"} 3.0',
        "dayseye_copies_damaged 1.0",
        "dayseye_dispatches_held 2.0",
    ):
        assert line in metrics.splitlines()


def test_the_table_shows_it_to_people(busy: Engine) -> None:
    console = Console(width=200, record=True)
    with Session(busy) as session, console.capture() as shown:
        console.print(*cli_tables.status(queries.status(session), {}), sep="\n")
    text = shown.get()
    for words in (
        "the detector is being changed",
        "bluesky silent refused 3 pickle refused",
        "files listening heard",
        "imaging is paused by staff",
        "connection refused",
    ):
        assert words in text
