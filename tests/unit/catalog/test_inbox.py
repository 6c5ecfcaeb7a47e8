"""Reports: each once under its key, added to, found by the paths that they name."""

from collections.abc import Callable, Sequence
from select import select as select_ready
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog import inbox
from catalog.errors import NotFound
from catalog.inbox import Reported
from catalog.models import Inbox

Tell = Callable[..., Reported]
SCAN = "/data/raw/p1/scan.h5"


@pytest.fixture
def tell(session: Session) -> Tell:
    def say(key: str = "1", paths: Sequence[str] = (SCAN,), **payload: Any) -> Reported:
        told = inbox.report(
            session,
            beamline="imaging",
            source=payload.pop("source", "http"),
            key=key,
            paths=paths,
            payload=payload,
            actor="control",
        )
        session.commit()
        return told

    return say


def row(session: Session) -> Inbox:
    return session.scalars(select(Inbox)).one()


def test_a_report_that_comes_twice_is_one_row_that_changes_once(
    tell: Tell, session: Session
) -> None:
    first, second = tell(sample="shell"), tell(sample="shell")
    assert (first.created, first.changed) == (True, True)
    assert (second.created, second.changed) == (False, False)
    assert first.id == second.id == row(session).id


def test_what_comes_later_is_added_and_handled_again(tell: Tell, session: Session) -> None:
    first = tell(stage="started", sample="shell", metadata={"a": 1})
    inbox.handled(session, [first.id], "looked")
    session.commit()
    assert inbox.waiting(session) == []
    session.commit()

    told = tell(paths=["/data/raw/p1/more.h5"], stage="finished", metadata={"b": 2})

    assert (told.created, told.changed) == (False, True)
    [waits] = inbox.waiting(session)
    assert waits.paths == [SCAN, "/data/raw/p1/more.h5"]
    assert waits.payload == {"stage": "finished", "sample": "shell", "metadata": {"a": 1, "b": 2}}


@pytest.mark.parametrize("end", ["finished", "aborted"])
def test_what_has_ended_does_not_begin_again(tell: Tell, session: Session, end: str) -> None:
    tell(stage=end, reason="as planned")
    told = tell(stage="started", reason="late", sample="shell")
    assert told.changed
    assert row(session).payload == {"stage": end, "reason": "as planned", "sample": "shell"}


def test_none_says_nothing(tell: Tell, session: Session) -> None:
    tell(sample="shell")
    assert not tell(sample=None).changed
    assert row(session).payload == {"sample": "shell"}


def test_the_same_key_of_another_source_is_another_report(tell: Tell, session: Session) -> None:
    assert tell(source="http").id != tell(source="epics").id
    assert len(inbox.waiting(session)) == 2


def test_a_beamline_that_is_not_there_is_named(session: Session) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        inbox.report(
            session, beamline="nowhere", source="http", key="1", paths=[], payload={}, actor="me"
        )


def test_reports_that_somebody_handles_are_left_out(
    tell: Tell, session: Session, engine: Engine
) -> None:
    tell("1")
    tell("2")
    assert len(inbox.waiting(session)) == 2
    with Session(engine) as other:
        assert inbox.waiting(other) == []


def test_a_path_is_told_of_by_all_sources_and_the_newest_wins(tell: Tell, session: Session) -> None:
    tell(source="bluesky", uid="u1", sample="shell", plan="count", stage="started")
    tell(source="epics", stage="finished", expected_frames=9)
    assert inbox.about(session, "imaging", SCAN) == {
        "uid": "u1",
        "sample": "shell",
        "plan": "count",
        "stage": "finished",
        "expected_frames": 9,
    }
    assert inbox.about(session, "imaging", "/data/raw/p1/other.h5") == {}


def test_an_earlier_scan_of_the_same_name_says_nothing_about_a_later_one(
    tell: Tell, session: Session
) -> None:
    tell("1", uid="u1", sample="shell")
    tell("2", uid="u2", plan="count")
    assert inbox.about(session, "imaging", SCAN) == {"uid": "u2", "plan": "count"}
    assert inbox.about(session, "imaging", SCAN, uid="u1") == {"uid": "u1", "sample": "shell"}


def test_what_was_said_of_a_folder_counts_for_what_is_in_it(tell: Tell, session: Session) -> None:
    tell("1", ["/data/raw/p1"], proposal="p1")
    tell("2", ["/data/raw"], proposal="all")
    assert inbox.about(session, "imaging", SCAN) == {"proposal": "p1"}


def test_a_report_is_found_under_the_folder_of_its_series(tell: Tell, session: Session) -> None:
    told = tell(paths=["/data/raw/series/0001.tif"], sample="shell")
    inbox.names_also(session, told.id, {"/data/raw/series"})
    session.commit()
    assert inbox.about(session, "imaging", "/data/raw/series") == {"sample": "shell"}
    assert row(session).handled_at is None


def test_whoever_takes_reports_is_nudged(tell: Tell, engine: Engine) -> None:
    connection = engine.raw_connection()
    connection.cursor().execute(f"LISTEN {inbox.CHANNEL}")
    connection.commit()
    tell()
    driver: Any = connection.driver_connection
    select_ready([driver], [], [], 5)
    driver.poll()
    assert [notice.channel for notice in driver.notifies] == [inbox.CHANNEL]
    connection.close()
