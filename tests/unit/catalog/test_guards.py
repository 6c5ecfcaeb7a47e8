"""What may not happen is refused by the database itself, whoever asks."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from catalog.arrivals import Recorded
from catalog.errors import IllegalMove
from catalog.lifecycle import move, note
from catalog.models import Dataset, LifecycleEvent, Run
from catalog.runs import Claim, StepRecord, record_steps

APPEND_ONLY = ("lifecycle_event", "step", "lineage", "verdict")
CHANGES = ("UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0}")


@pytest.fixture
def filled(
    engine: Engine,
    sight: Callable[..., Recorded],
    claim_of: Callable[..., Claim],
    finish: Callable[..., UUID],
) -> Engine:
    """A catalogue with rows in every append-only table."""
    claim = claim_of(sight().dataset_id)
    record_steps(engine, claim, [StepRecord("normalise", "ct.normalise", "1", "reference")])
    finish(claim)
    return engine


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", CHANGES)
def test_the_application_cannot_change_history(filled: Engine, table: str, change: str) -> None:
    column = "run_id" if table == "lineage" else "id"
    with filled.connect() as connection:
        assert connection.scalar(text(f"SELECT count(*) FROM {table}")), "there is history"  # noqa: S608
        with pytest.raises(ProgrammingError, match="permission denied"):
            connection.execute(text(change.format(table, column)))


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", CHANGES)
def test_nor_can_the_owner(filled: Engine, owner_engine: Engine, table: str, change: str) -> None:
    column = "run_id" if table == "lineage" else "id"
    with (
        owner_engine.connect() as connection,
        pytest.raises(DatabaseError, match=f"{table} is append-only"),
    ):
        connection.execute(text(change.format(table, column)))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transition SET to_state = 'completed'",
        "INSERT INTO transition VALUES ('run', 'completed', 'waiting')",
        "UPDATE alembic_version SET version_num = '0'",
        "DELETE FROM dataset",
        "ALTER TABLE lifecycle_event DISABLE TRIGGER ALL",
        "DROP TRIGGER append_only ON step",
        "CREATE TABLE mine (id int)",
    ],
)
def test_the_application_owns_nothing(engine: Engine, statement: str) -> None:
    with (
        engine.connect() as connection,
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
    ):
        connection.execute(text(statement))


def test_a_state_changes_by_an_event_alone(
    session: Session, sight: Callable[..., Recorded]
) -> None:
    sight()
    with pytest.raises(IntegrityError, match="changes by a lifecycle event alone"):
        session.execute(text("UPDATE dataset SET state = 'quarantined'"))


def test_a_row_starts_in_its_first_state(session: Session, sight: Callable[..., Recorded]) -> None:
    dataset = session.get_one(Dataset, sight().dataset_id)
    session.add(
        Run(
            dataset_id=dataset.id, flow="ct", recipe_version="1", parameters={}, run_key="k",
            actor="a", reason="r", lane="live", version=9, state="completed",
        )
    )  # fmt: skip
    with pytest.raises(IntegrityError, match="a new run starts as waiting"):
        session.flush()


@pytest.mark.parametrize("to", ["registered", "incomplete", "acquired", "nowhere"])
def test_an_illegal_move_is_a_sentence(
    session: Session, sight: Callable[..., Recorded], to: str
) -> None:
    dataset = session.get_one(Dataset, sight().dataset_id)
    with pytest.raises(IllegalMove, match=f"cannot go from validated to {to}"):
        move(session, dataset, to, actor="somebody")


def test_a_move_writes_who_when_and_why(session: Session, sight: Callable[..., Recorded]) -> None:
    dataset = session.get_one(Dataset, sight().dataset_id)
    move(session, dataset, "quarantined", actor="somebody", reason="it is a cat")
    note(session, dataset, "looked_at", actor="somebody", alarm=True)
    session.commit()
    assert (dataset.state, dataset.state_reason) == ("quarantined", "it is a cat")
    events = session.query(LifecycleEvent).filter_by(dataset_id=dataset.id)
    told = [(e.event, e.from_state, e.to_state) for e in events.order_by(LifecycleEvent.id)]
    assert told == [
        ("registered", None, None),
        ("acquired", "registered", "acquired"),
        ("validated", "acquired", "validated"),
        ("quarantined", "validated", "quarantined"),
        ("looked_at", None, None),
    ]


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", ".."])
def test_a_path_stays_in_its_storage(
    sight: Callable[..., Recorded], a_file: Callable[..., object], path: str
) -> None:
    with pytest.raises(IntegrityError, match="ck_dataset_file_path"):
        sight(files=[a_file(path=path)])


def test_one_current_version_and_one_running_and_completed_attempt(
    filled: Engine, session: Session
) -> None:
    for statement, constraint in (
        ("""INSERT INTO attempt (id, run_id, number, flow_run_id, host, pid, state)
            SELECT gen_random_uuid(), run_id, 2, 'f', 'h', 1, 'completed' FROM attempt""",
         "uq_attempt_completed"),
        ("""INSERT INTO attempt (id, run_id, number, flow_run_id, host, pid)
            SELECT gen_random_uuid(), run_id, n, 'f', 'h', 1
            FROM attempt, generate_series(2, 3) n""",
         "uq_attempt_running"),
        ("""INSERT INTO dataset (id, kind, beamline_id, entry_key, base_key, name, technique,
                taken_at, source_id, run_id, flow, version, is_current)
            SELECT gen_random_uuid(), kind, beamline_id, 'x', 'x', name, technique, taken_at,
                source_id, run_id, flow, 2, true FROM dataset WHERE kind = 'derived'""",
         "uq_dataset_current"),
    ):  # fmt: skip
        with pytest.raises(IntegrityError, match=constraint), session.begin_nested():
            session.execute(text(statement))
