"""The commands that hold back, ask again and try again, over a catalogue without a platform."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from catalog import recipes, recovery, runs
from catalog.arrivals import SightedFile, Sighting, record
from catalog.models import Dispatch, Run
from infra.cli import app
from infra.commands import pause, reprocess

SCHEMA = {"type": "object", "properties": {"filter": {"enum": ["ramp", "hann"], "default": "ramp"}}}
Call = Callable[..., Result]


@pytest.fixture
def engine(catalog_engine: Engine, tmp_path: Path) -> Engine:
    with Session(catalog_engine) as session, session.begin():
        recipes.publish_flow(session, "ct", "ct", "1", SCHEMA)
        recipes.publish_beamline(
            session,
            id="bl07",
            name="bl07",
            technique="ct",
            flow="ct",
            folders=[tmp_path / "raw"],
            output_template=f"{tmp_path}/processed/{{scan}}",
        )
    return catalog_engine


@pytest.fixture
def call(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call ``dayseye`` on the catalogue."""

    @contextmanager
    def catalogue(_: object) -> Iterator[Engine]:
        yield engine

    for part in (pause, reprocess):
        monkeypatch.setattr(part, "catalogue", catalogue)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, words)

    return run


@pytest.fixture
def scan(engine: Engine, tmp_path: Path) -> UUID:
    """Let a scan land."""
    file = SightedFile(
        storage=str(tmp_path / "raw"),
        path="tooth.h5",
        inner_path="",
        role="data",
        size=1000,
        mtime_ns=1,
        fingerprint="print",
        inode=1,
    )
    sighting = Sighting(
        beamline="bl07",
        entry_key="tooth",
        name="tooth",
        technique="ct",
        kind="raw",
        stage="complete",
        files=[file],
    )
    with Session(engine) as session, session.begin():
        return record(session, sighting).dataset_id


def test_pause_and_resume_say_what_they_did(call: Call, scan: UUID) -> None:
    assert "bl07 is paused" in call("pause", "bl07", "--reason", "beam dump").output
    assert "was paused already" in call("pause", "bl07", "--reason", "again").output
    assert "1 runs have waited" in call("resume", "bl07").output
    assert "is not paused" in call("resume", "bl07").output


def test_a_dry_run_asks_for_nothing(call: Call, scan: UUID, engine: Engine) -> None:
    wish = ("reprocess", "--beamline", "bl07", "--reason", "softer", "--set", "filter=hann")
    told = call(*wish, "--dry-run").output
    assert "1 datasets of bl07 would be reduced again" in told
    assert "nobody knows how long" in told
    asked = call(*wish).output
    assert "1 datasets of bl07 will be reduced again" in asked
    assert "1 had been asked for already" in call(*wish).output
    with Session(engine) as session:
        found = session.scalars(select(Run.parameters).order_by(Run.version)).all()
    assert found == [{"filter": "ramp"}, {"filter": "hann"}]


def test_retry_takes_a_dataset_or_a_run(call: Call, scan: UUID, engine: Engine) -> None:
    with Session(engine) as session:
        dispatch = session.scalars(select(Dispatch.id)).one()
    claim = runs.claim(
        engine,
        dataset_id=scan,
        flow="ct",
        parameters={},
        dispatch_id=dispatch,
        flow_run_id="f",
        reason="",
        host="here",
        pid=1,
    )
    runs.fail(engine, claim, "ValueError: no")
    assert '"state": "waiting"' in call("retry", "tooth", "--json").output
    with Session(engine) as session, session.begin():
        runs.cancel_run(session, claim.run_id, actor="x", reason="y")
    assert '"state": "waiting"' in call("retry", str(claim.run_id), "--json").output
    refused = call("retry", str(claim.run_id))
    assert isinstance(refused.exception, recovery.CatalogError)
