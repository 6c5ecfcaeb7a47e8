"""A catalogue of the first release (schema 0002), with data in it, becomes one of today."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from catalog import queries
from catalog.connection import connect
from catalog.migrate import alembic_config, migrate
from catalog.models import Base
from catalog.queries import DatasetFilter
from infra.postgres import EmbeddedPostgres
from tests.conftest import database_dsn

RAW, RESULT = UUID(int=0x0192 << 112 | 1), UUID(int=0x0192 << 112 | 2)
RUN, OTHER = UUID(int=0x0192 << 112 | 3), UUID(int=0x0192 << 112 | 4)

# what the first release wrote, in its own columns
OLD = """
INSERT INTO storage VALUES (:storage, 'raw', '/data/raw');
INSERT INTO beamline (id, name, technique, flow, folders, output_template, calibration_max_age)
    VALUES ('imaging', 'Imaging', 'ct', 'ct', '{/data/raw}', '/data/out/{scan}', '1 day');
INSERT INTO proposal (id, code, title) VALUES (:proposal, '2026-0117', '牙齿 and bone');
INSERT INTO dataset (id, kind, beamline_id, entry_key, base_key, name, technique, taken_at,
                     proposal_id)
    VALUES (:raw, 'raw', 'imaging', 'k', 'k', 'tooth', 'ct', now(), :proposal);
INSERT INTO dataset_file (id, dataset_id, storage_id, path, role, size)
    VALUES (gen_random_uuid(), :raw, :storage, 'tooth.h5', 'data', 10);
INSERT INTO lifecycle_event (id, dataset_id, event, to_state, actor)
    VALUES (gen_random_uuid(), :raw, 'acquired', 'acquired', 'trigger'),
           (gen_random_uuid(), :raw, 'validated', 'validated', 'trigger');
INSERT INTO run (id, dataset_id, flow, recipe_version, parameters, run_key, actor, reason, lane,
                 version)
    VALUES (:run, :raw, 'ct', '1', '{}', 'key 1', 'trigger', 'arrived', 'live', 1),
           (:other, :raw, 'ct', '1', '{}', 'key 2', 'trigger', 'arrived', 'live', 2);
INSERT INTO dispatch (id, run_id, key, lane, sent_at, flow_run_id)
    VALUES (gen_random_uuid(), :run, 'key 1', 'live', now(), 'flow-run-1'),
           (gen_random_uuid(), :other, 'key 2', 'live', NULL, NULL);
INSERT INTO lifecycle_event (id, run_id, event, to_state, actor)
    VALUES (gen_random_uuid(), :run, 'running', 'running', 'flow');
INSERT INTO attempt (id, run_id, number, flow_run_id, host, pid)
    VALUES (gen_random_uuid(), :run, 1, 'flow-run-1', 'here', 1);
INSERT INTO dataset (id, kind, beamline_id, entry_key, base_key, name, technique, taken_at,
                     source_id, run_id, flow, version, is_current)
    VALUES (:result, 'derived', 'imaging', 'k/1', 'k/1', 'tooth', 'ct', now(), :raw, :run, 'ct', 1,
            true);
INSERT INTO verdict (id, dataset_id, verdict, reasons, quality, actor)
    VALUES (gen_random_uuid(), :result, 'ok', '[]', '{}', 'flow');
INSERT INTO lineage (run_id, dataset_id, direction, role)
    VALUES (:run, :raw, 'input', 'data'), (:run, :result, 'output', 'result');
INSERT INTO inbox (id, beamline_id, key, payload, actor)
    VALUES (gen_random_uuid(), 'imaging', NULL, '{}', 'somebody'),
           (gen_random_uuid(), 'imaging', 'mine', '{}', 'somebody');
"""
KEPT = ("dataset", "dataset_file", "run", "attempt", "dispatch", "verdict", "lineage", "inbox",
        "lifecycle_event")  # fmt: skip


@pytest.fixture
def dsn(postgres: EmbeddedPostgres, empty_database: str) -> str:
    return database_dsn(postgres.dsn("catalog", "owner"), empty_database)


@pytest.fixture
def counted(dsn: str) -> Iterator[dict[str, int]]:
    """The old catalogue, with the number of rows of each table; migrated afterwards."""
    engine = connect(dsn)
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0002")
    ids = {"raw": RAW, "result": RESULT, "run": RUN, "other": OTHER}
    ids |= {"storage": UUID(int=1), "proposal": UUID(int=2)}
    with engine.begin() as connection:
        for statement in OLD.split(";\n"):
            if statement.strip():
                connection.execute(text(statement), ids)
        counts = count(connection)
    migrate(dsn)
    yield counts
    engine.dispose()


def count(connection) -> dict[str, int]:
    return {each: connection.scalar(text(f"SELECT count(*) FROM {each}")) for each in KEPT}  # noqa: S608


@pytest.fixture
def upgraded(dsn: str, counted: dict[str, int]) -> Engine:
    return connect(dsn)


def test_nothing_is_lost_and_the_tables_are_those_of_today(
    upgraded: Engine, counted: dict[str, int]
) -> None:
    with upgraded.connect() as connection:
        assert count(connection) == counted
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_old_data_answer_the_questions_of_today(upgraded: Engine) -> None:
    with Session(upgraded) as session:
        assert [each.id for each in queries.list_datasets(session).items] == [RESULT, RAW]
        found = queries.list_datasets(session, DatasetFilter(text="牙齿", kind="raw"))
        assert [each.id for each in found.items] == [RAW]
        detail = queries.dataset_detail(session, RAW)
        assert detail is not None
        assert (detail.state, len(detail.files), len(detail.runs)) == ("validated", 1, 2)
        assert detail.result is not None
        assert detail.result.verdict == "ok"
        lineage = queries.lineage(session, RESULT)
        assert lineage is not None
        assert {node.id for node in lineage.nodes} == {RAW, RESULT, RUN}
        status = queries.status(session)
        assert (status.running, status.waiting, status.outbox) == (1, 1, 1)
        assert [each.backlog for each in status.beamlines] == [1]


def test_the_guards_of_today_hold_for_old_data(upgraded: Engine) -> None:
    for forbidden in (
        "UPDATE lifecycle_event SET actor = 'somebody else'",
        "DELETE FROM lineage",
        "UPDATE dataset SET state = 'registered'",
        "UPDATE dataset SET purged_at = now() WHERE kind = 'raw'",
    ):
        with pytest.raises(DatabaseError), upgraded.begin() as connection:
            connection.execute(text(forbidden))


def test_the_application_may_use_what_is_new(
    postgres: EmbeddedPostgres, upgraded: Engine, empty_database: str
) -> None:
    application = connect(database_dsn(postgres.dsn("catalog", "app"), empty_database))
    with application.connect() as connection:
        for table in ("replica", "principal", "trigger_status", "notification", "hold"):
            assert connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0  # noqa: S608


def test_migrating_again_changes_nothing(
    dsn: str, upgraded: Engine, counted: dict[str, int]
) -> None:
    migrate(dsn)
    with upgraded.connect() as connection:
        assert count(connection) == counted
