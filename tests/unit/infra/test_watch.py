"""What lasts is told when it begins, once, and again only after it has ended."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from catalog import notifications, recipes, trigger_status
from catalog.models import TriggerStatus
from infra.caretaker.watch import watch_backlog, watch_disks, watch_triggers
from triggers.beamline import Beamline
from triggers.rules import Triggers

HOUR = timedelta(hours=1)


@pytest.fixture
def session(catalog_engine, tmp_path):
    with Session(catalog_engine) as session:
        recipes.publish_flow(session, "ct", "ct", "1", {"type": "object", "properties": {}})
        recipes.publish_beamline(
            session,
            id="imaging",
            name="Imaging",
            technique="ct",
            flow="ct",
            folders=[tmp_path],
            output_template="/processed/{scan}",
        )
        yield session


def told(session):
    return [each.message for each in reversed(notifications.newest(session))]


def beamlines(hours):
    triggers = Triggers(silent_after_hours=hours)
    return [
        Beamline(id="imaging", folders=(Path("/raw"),), output="/out/{scan}", triggers=triggers)
    ]


def test_a_full_disk(session, tmp_path):
    for _ in range(2):
        watch_disks(session, [tmp_path, tmp_path / "on" / "the same"], limit_gb=1e9)
    (message,) = told(session)
    assert f"GB are free at {tmp_path}" in message
    watch_disks(session, [tmp_path], limit_gb=0)
    watch_disks(session, [tmp_path], limit_gb=1e9)
    assert len(told(session)) == 2


def test_a_backlog(session):
    watch_backlog(session, 1)
    assert told(session) == []
    watch_backlog(session, 0)
    watch_backlog(session, 0)
    assert len(told(session)) == 1


def test_a_silent_trigger(session):
    now = datetime.now(UTC)
    trigger_status.tell(session, "imaging", "files", heard_at=now - 3 * HOUR)
    watch_triggers(session, beamlines(None), set())
    assert told(session) == []
    for _ in range(2):
        watch_triggers(session, beamlines(2), set())
    (message,) = told(session)
    assert "Nothing was heard from files of imaging since" in message
    assert session.scalar(select(TriggerStatus.state)) == "silent"
    trigger_status.tell(session, "imaging", "files", heard_at=now)
    session.expire_all()
    watch_triggers(session, beamlines(2), set())
    session.flush()
    assert session.scalar(select(TriggerStatus.state)) == "listening"
    assert notifications.lasting(session, "trigger") == []


def test_a_trigger_that_was_never_heard_of(session):
    trigger_status.tell(session, "imaging", "bluesky")
    watch_triggers(session, beamlines(2), set())
    assert told(session) == []
    session.execute(text("UPDATE beamline SET published_at = now() - interval '3 hours'"))
    session.expire_all()
    watch_triggers(session, beamlines(2), set())
    assert "since its start" in told(session)[0]


def test_a_trigger_out_of_reach_is_told_at_the_second_look(session):
    trigger_status.tell(session, "imaging", "epics", state="unreachable", note="no such IOC")
    seen = watch_triggers(session, beamlines(None), set())
    assert told(session) == []
    watch_triggers(session, beamlines(None), seen)
    assert told(session) == ["epics of imaging is out of reach: no such IOC"]


def test_events_become_messages_in_their_transaction(session, tmp_path):
    """A failed run, a dataset in quarantine and an alarm; other events do not."""
    from catalog.arrivals import Sighting, record
    from catalog.lifecycle import move, note
    from catalog.models import Dataset, Run

    def land(name, **about):
        values = {"stage": "complete", "kind": "raw", "files": [], "technique": "ct"} | about
        sighting = Sighting(beamline="imaging", entry_key=name, name=name, **values)
        return record(session, sighting)

    tooth = land("tooth")
    land("broken", stage="broken", reason="broken.h5 is not an HDF5 file")
    assert tooth.run_id
    move(session, session.get_one(Run, tooth.run_id), "failed", actor="flow", reason="disk full")
    dataset = session.get_one(Dataset, tooth.dataset_id)
    note(session, dataset, "raw_changed", actor="trigger", alarm=True, reason="other bytes")
    kinds = session.execute(text("SELECT kind, beamline_id, message FROM notification ORDER BY id"))
    found = kinds.all()
    assert [kind for kind, *_ in found] == ["quarantine", "failure", "alarm"]
    assert {beamline for _, beamline, _ in found} == {"imaging"}
    assert found[1].message == f"tooth ({tooth.dataset_id}): disk full"
