"""The caretaker opens the runs of series, whatever is wrong with one of them."""

import logging
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from catalog import outbox, recipes, runs
from catalog.arrivals import record
from catalog.models import Beamline, Dataset, Dispatch, FlowSchema, Run, Series
from catalog.sightings import SeriesMark, SightedFile, Sighting
from infra.caretaker.job import Care
from infra.caretaker.jobs import JOBS
from infra.caretaker.series import reduce_series
from infra.room import expected_bytes

PLAIN = {"type": "object", "properties": {}}
START = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def care(catalog_engine, tmp_path: Path) -> Care:
    with Session(catalog_engine) as session, session.begin():
        for flow in ("scan", "scan-series"):
            recipes.publish_flow(session, flow, "xas", "1", PLAIN)
        recipes.publish_beamline(
            session,
            id="bl07",
            name="",
            technique="xas",
            flow="scan",
            series_flow="scan-series",
            folders=[tmp_path],
            output_template="/data/out/{scan}",
        )
    return Care(catalog_engine, Any, threading.Event())  # type: ignore[arg-type] - no address needed


def reduced(care: Care, file: str, number: int) -> None:
    """Let a scan land and have it reduced."""
    seen = SightedFile("/data/raw", f"{file}.h5", f"{number}.1", "data", 1000, 1, f"print {number}")
    sighting = Sighting(
        beamline="bl07",
        entry_key=f"{file}-{number}",
        name=f"{file}-{number}",
        technique="xas",
        kind="raw",
        stage="complete",
        files=[seen],
        started_at=START + timedelta(seconds=number),
        series=SeriesMark("file", f"/data/raw/{file}.h5"),
    )
    with Session(care.engine) as session, session.begin():
        landed = record(session, sighting)
    finish(care, landed.run_id)


def finish(care: Care, run_id) -> None:
    with Session(care.engine) as session:
        run = session.get_one(Run, run_id)
        dispatch = session.scalars(select(Dispatch.id).where(Dispatch.run_id == run_id)).one()
    claim = runs.claim(
        care.engine,
        dataset_id=run.dataset_id,
        flow=run.flow,
        parameters={},
        dispatch_id=dispatch,
        flow_run_id=str(run_id),
        reason="",
        host="here",
        pid=1,
    )
    runs.complete(
        care.engine,
        claim,
        outputs=[runs.OutputFile("result.h5", "spectrum", 10, "ab12", "application/x-hdf5")],
        publish=lambda: None,
        verdict="ok",
        reasons=[],
        quality={},
        metadata={},
    )


def opened(care: Care) -> list[Run]:
    with Session(care.engine) as session:
        return list(session.scalars(select(Run).where(Run.flow == "scan-series").order_by(Run.id)))


def test_the_caretaker_looks_every_second() -> None:
    (job,) = [each for each in JOBS if each.name == "series"]
    assert (job.seconds, job.do) == (1.0, reduce_series)


def test_each_series_has_its_run(care: Care) -> None:
    for file in ("monday", "tuesday"):
        reduced(care, file, 1)
        reduced(care, file, 2)
    reduced(care, "alone", 1)
    for _ in range(3):
        reduce_series(care)
    assert len(opened(care)) == 2
    with Session(care.engine) as session:
        names = select(Dataset.name).where(Dataset.id.in_([run.dataset_id for run in opened(care)]))
        assert set(session.scalars(names)) == {"monday series", "tuesday series"}
        (first, *_) = outbox.unsent(session, 5)
        assert (first.flow, expected_bytes(session, first)) == ("scan-series", 0)
    finish(care, opened(care)[0].id)
    with Session(care.engine) as session, session.begin():
        again = runs.request_run(session, opened(care)[0].dataset_id, {}, "staff", "again")
        assert again.version == 2
        wanted = next(each for each in outbox.unsent(session, 5) if each.run_id == again.id)
        assert expected_bytes(session, wanted) == 10, "as much as its last result"


def test_one_that_cannot_be_opened_is_told_once_and_waits(
    care: Care, caplog: pytest.LogCaptureFixture
) -> None:
    for file in ("monday", "tuesday"):
        reduced(care, file, 1)
        reduced(care, file, 2)
    with Session(care.engine) as session, session.begin():
        session.execute(update(FlowSchema).values(is_current=False))
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            reduce_series(care)
    assert len(caplog.records) == 2
    assert opened(care) == []
    with Session(care.engine) as session, session.begin():
        recipes.publish_flow(session, "scan-series", "xas", "1", PLAIN)
        recipes.publish_flow(session, "scan", "xas", "1", PLAIN)
    reduced(care, "monday", 3)
    reduce_series(care)
    assert len(opened(care)) == 1, "the next result brings it"


def test_a_beamline_that_forms_no_series_any_more(care: Care) -> None:
    reduced(care, "monday", 1)
    reduced(care, "monday", 2)
    with Session(care.engine) as session, session.begin():
        session.execute(update(Beamline).values(series_flow=None))
    reduce_series(care)
    assert opened(care) == []
    with Session(care.engine) as session:
        assert session.scalars(select(Series.due_since)).all() == [None]
