"""No question of the API reads a large table whole, in a catalogue large enough to tell."""

import re
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from catalog.access import ViewedSession, Viewer
from catalog.api import create_app
from catalog.connection import connect
from catalog.queries import DatasetFilter, dataset_detail, lineage, list_datasets, list_runs
from catalog.states import Role
from infra.postgres import EmbeddedPostgres
from tests.benchmarks.bench_catalogue import Facts, questions
from tests.benchmarks.large_catalogue import fill
from tests.conftest import database_dsn

LARGE = "dataset dataset_file run attempt step lineage lifecycle_event verdict dispatch"
WHOLE = re.compile(rf"Seq Scan on ({'|'.join(LARGE.split())})\b")
TOKEN = "of the test"
SCANS = 6000

Plans = dict[str, str]


@pytest.fixture(scope="module")
def large(
    postgres: EmbeddedPostgres, admin_engine: Engine, catalog_template: str
) -> Iterator[Engine]:
    """A catalogue of some twelve thousand datasets, once for all tests here."""
    with admin_engine.connect() as connection:
        statement = f"CREATE DATABASE test_plans TEMPLATE {catalog_template} OWNER dayseye_owner"
        connection.execute(text(statement))
        admin = connect(database_dsn(postgres.dsn("catalog", "admin"), "test_plans"))
        fill(admin, SCANS)
        yield admin
        admin.dispose()
        connection.execute(text("DROP DATABASE test_plans WITH (FORCE)"))


@pytest.fixture
def asked(large: Engine) -> Iterator[list[tuple[str, Any]]]:
    """The statements that the catalogue was asked, with their parameters."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, given: Any, *_more: Any) -> None:
        if re.match(r"\s*(SELECT|WITH)\b", statement):
            statements.append((statement, given))

    event.listen(large, "after_cursor_execute", note)
    yield statements
    event.remove(large, "after_cursor_execute", note)


def whole_tables(engine: Engine, asked: list[tuple[str, Any]]) -> dict[str, str]:
    """Explain what was asked; return the plans that read a large table from end to end."""
    found: dict[str, str] = {}
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        for statement, given in asked:
            cursor.execute(f"EXPLAIN {statement}", given)
            plan = "\n".join(line for (line,) in cursor.fetchall())
            if WHOLE.search(plan):
                found[statement] = plan
    return found


def test_no_question_of_the_api_reads_a_table_whole(
    large: Engine, asked: list[tuple[str, Any]]
) -> None:
    app = create_app(large, public_url="http://testserver", prefect_ui_url="", token=TOKEN)
    client = TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"})
    every = questions(Facts(large, share=100))
    for counts in ("status", "metrics"):
        every.pop(counts)  # they stop at a number of rows, in whatever order these come
    asked.clear()
    for question in every.values():
        random = Random(1)  # noqa: S311 - the same questions each time
        for _ in range(3):
            assert client.get(question(random)).status_code == 200
    assert len(asked) > 3 * len(every)
    assert whole_tables(large, asked) == {}


@pytest.mark.parametrize("see_public", [True, False])
def test_nor_does_a_question_of_a_user(
    large: Engine, asked: list[tuple[str, Any]], see_public: bool
) -> None:
    facts = Facts(large, share=100)
    with Session(large) as session:
        grants = session.scalars(text("SELECT id FROM proposal ORDER BY code LIMIT 3")).all()
    viewer = Viewer("user", Role.USER, dict.fromkeys(grants, "read"), sees_public=see_public)
    own = next(row.id for row in facts.rows if row.proposal_id == grants[0])
    asked.clear()
    with ViewedSession(large, viewer) as session:
        for wanted in ({}, {"text": "battery"}, {"text": "牙齿"}, {"state": "quarantined"},
                       {"beamline": "bl03"}, {"kind": "derived", "verdict": "bad"},
                       {"since": facts.first}):  # fmt: skip
            list_datasets(session, DatasetFilter.model_validate(wanted))
        list_runs(session)
        assert dataset_detail(session, own) is not None
        assert lineage(session, own) is not None
    assert whole_tables(large, asked) == {}


def test_pages_of_a_user_are_whole_and_in_order(large: Engine) -> None:
    with Session(large) as session:
        grants = session.scalars(text("SELECT id FROM proposal ORDER BY code LIMIT 3")).all()
        count = "SELECT count(*) FROM dataset WHERE proposal_id = ANY(:grants)"
        expected = session.scalar(text(count), {"grants": grants})
    viewer = Viewer("user", Role.USER, dict.fromkeys(grants, "read"), sees_public=False)
    seen, cursor = [], None
    with ViewedSession(large, viewer) as session:
        while True:
            page = list_datasets(session, cursor=cursor, limit=200)
            seen += [item.id for item in page.items]
            if (cursor := page.next_cursor) is None:
                break
    assert len(seen) == expected
    assert seen == sorted(set(seen), reverse=True)


def test_pages_of_a_time_are_whole_and_in_the_order_of_that_time(large: Engine) -> None:
    facts = Facts(large, share=100)
    since, until = (facts.first + (facts.last - facts.first) * part for part in (0.4, 0.5))
    expected = {row.id for row in facts.rows if since <= row.taken_at < until}
    seen, cursor = [], None
    with Session(large) as session:
        while True:
            wanted = DatasetFilter(since=since, until=until)
            page = list_datasets(session, wanted, cursor=cursor, limit=100)
            seen += [(item.taken_at, item.id) for item in page.items]
            if (cursor := page.next_cursor) is None:
                break
    assert seen == sorted(set(seen), reverse=True)
    assert {str(key) for _, key in seen} == expected


@pytest.mark.parametrize(
    ("words", "matches"),
    [
        ("牙齿", lambda text: "牙齿" in text),
        ("镍", lambda text: "镍" in text),
        ("钙钛矿", lambda text: "钙钛矿" in text),
        ("battery 牙齿", lambda text: "battery" in text and "牙齿" in text),
        ("ba", lambda text: any(word.startswith("ba") for word in text.split())),
        ("100%", lambda _text: False),
    ],
)
def test_words_are_found_wherever_they_are(large: Engine, words: str, matches: Any) -> None:
    with Session(large) as session:
        texts = session.execute(text("SELECT id, search_text FROM dataset")).all()
        expected = {key for key, content in texts if matches(content)}
        seen, cursor = set(), None
        while True:
            page = list_datasets(session, DatasetFilter(text=words), cursor=cursor, limit=200)
            seen |= {item.id for item in page.items}
            if (cursor := page.next_cursor) is None:
                break
    assert seen == expected
