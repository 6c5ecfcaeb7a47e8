"""What the dispatcher asks Prefect for, and what it makes of what it finds after a crash."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from catalog import outbox, recipes, runs
from catalog.arrivals import SightedFile, Sighting, record
from catalog.models import Attempt, Beamline, Dataset, Dispatch, Run
from infra import whereabouts, worker, worker_service
from infra.dispatcher import Dispatcher
from infra.nudges import CRASHED, Nudges
from infra.processes import process_started
from infra.reconcile import LASTS, Reconciler
from infra.settings import Runs
from infra.worker import CANCELLED

TEN_MINUTES = timedelta(minutes=10)


class FakePrefect:
    """Keeps flow runs by their idempotency keys, as the server does."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {}
        self.flow_runs: dict[UUID, FlowRun] = {}
        self.away = False

    def create_flow_run_from_deployment(self, deployment: UUID, **about: Any) -> Any:
        if self.away:
            raise httpx.ConnectError("refused")
        made = self.made.setdefault(about["idempotency_key"], {"id": uuid4(), **about})
        self.flow_runs[made["id"]] = FlowRun(
            id=made["id"], flow_id=uuid4(), state=State(type=StateType.SCHEDULED)
        )
        return SimpleNamespace(id=made["id"])

    def read_deployment_by_name(self, name: str) -> Any:
        return SimpleNamespace(id=name)

    def count_flow_runs(self, **_: Any) -> int:
        return 0

    def read_flow_runs(self, *, flow_run_filter: Any, limit: int, **_: Any) -> list[FlowRun]:
        if flow_run_filter.id is not None:
            return [self.flow_runs[key] for key in flow_run_filter.id.any_ if key in self.flow_runs]
        types = flow_run_filter.state.type.any_
        return [each for each in self.flow_runs.values() if each.state and each.state.type in types]

    def read_flow_run_states(self, key: UUID) -> list[Any]:
        return []

    def set_flow_run_state(self, key: UUID, state: Any, force: bool) -> None:
        self.flow_runs[key].state = state


@pytest.fixture
def prefect() -> FakePrefect:
    return FakePrefect()


@pytest.fixture
def engine(catalog_engine: Engine, tmp_path: Path) -> Engine:
    with Session(catalog_engine) as session, session.begin():
        recipes.publish_flow(session, "ct", "ct", "1", {"type": "object", "properties": {}})
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
def land(engine: Engine, tmp_path: Path) -> Callable[..., UUID]:
    """Let a scan land."""

    def scan(name: str, rule: str = "", size: int = 1000) -> UUID:
        file = SightedFile(
            storage=str(tmp_path / "raw"),
            path=f"{name}.h5",
            inner_path="",
            role="data",
            size=size,
            mtime_ns=1,
            fingerprint=name,
            inode=1,
        )
        sighting = Sighting(
            beamline="bl07",
            entry_key=name,
            name=name,
            technique="ct",
            kind="raw",
            stage="complete",
            files=[file],
        )
        with Session(engine) as session, session.begin():
            dataset = record(session, sighting).dataset_id
            session.execute(update(Dataset).where(Dataset.id == dataset).values(rule=rule))
        return dataset

    return scan


@pytest.fixture
def dispatcher(engine: Engine, prefect: FakePrefect) -> Dispatcher:
    return Dispatcher(engine, prefect, Runs(at_once=2, free_disk_gb=0))  # type: ignore[arg-type]


def waits_for(engine: Engine) -> list[str | None]:
    with Session(engine) as session:
        return list(session.scalars(select(Dispatch.waits_for).order_by(Dispatch.id)))


def again(engine: Engine, dataset: UUID) -> None:
    with Session(engine) as session, session.begin():
        runs.request_run(session, dataset, {}, "staff", "again")


def test_a_backlog_is_fed_one_at_a_time_and_what_lands_goes_first(
    engine: Engine, prefect: FakePrefect, dispatcher: Dispatcher, land: Callable[..., UUID]
) -> None:
    first, second = land("first"), land("second")
    assert dispatcher.send_waiting() == 2
    for dataset in (first, second, first):
        again(engine, dataset)
    assert dispatcher.send_waiting() == 1, "of two places one is kept for what lands"
    told = "waits for its turn: 1 reprocessed at once, and what lands now goes first"
    assert waits_for(engine)[2:] == [None, told, told]
    land("third")
    assert dispatcher.send_waiting() == 1
    assert [each["work_queue_name"] for each in prefect.made.values()] == [
        "live",
        "live",
        "reprocess",
        "live",
    ]


def test_a_batch_is_one_flow_run_however_often_it_is_sent(
    engine: Engine, prefect: FakePrefect, dispatcher: Dispatcher, land: Callable[..., UUID]
) -> None:
    with Session(engine) as session, session.begin():
        rules = [{"name": "quick", "batch": {"count": 2, "seconds": 60}}]
        session.execute(update(Beamline).values(rules=rules))
    land("one", "quick")
    assert dispatcher.send_waiting() == 0
    land("two", "quick")
    assert dispatcher.send_waiting() == 1
    (made,) = prefect.made.values()
    assert len(made["parameters"]["dispatches"]) == 2
    with Session(engine) as session, session.begin():  # as if it had died before its commit
        session.execute(update(Dispatch).values(sent_at=None, flow_run_id=None))
    land("three", "quick")
    assert dispatcher.send_waiting() == 1
    assert len(prefect.made) == 1


def test_prefect_away_costs_nothing_but_time(
    engine: Engine, prefect: FakePrefect, dispatcher: Dispatcher, land: Callable[..., UUID]
) -> None:
    land("first")
    prefect.away = True
    assert dispatcher.send_waiting() == 0
    assert waits_for(engine) == ["Prefect is away (ConnectError)"]
    prefect.away = False
    assert dispatcher.send_waiting() == 1
    assert waits_for(engine) == [None]


def test_a_run_waits_for_the_room_that_it_needs_and_others_pass(
    engine: Engine, prefect: FakePrefect, dispatcher: Dispatcher, land: Callable[..., UUID]
) -> None:
    land("huge", size=10**18)
    land("small")
    assert dispatcher.send_waiting() == 1
    huge, small = waits_for(engine)
    assert huge is not None
    assert huge.startswith("needs 2000000000.00 GB in ")
    assert "are free, of which runs under way will fill" in huge
    assert small is None


def test_a_full_disk_holds_everything_of_the_beamline(
    engine: Engine, prefect: FakePrefect, land: Callable[..., UUID]
) -> None:
    land("first")
    full = Dispatcher(engine, prefect, Runs(free_disk_gb=1e9))  # type: ignore[arg-type]
    assert full.send_waiting() == 0
    (told,) = waits_for(engine)
    assert told is not None
    assert "runs.free_disk_gb is 1e+09" in told


# -- after a crash --------------------------------------------------------------------------


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process that does nothing."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def claimed(
    engine: Engine,
    prefect: FakePrefect,
    dispatcher: Dispatcher,
    land: Callable[..., UUID],
    sleeper: "subprocess.Popen[bytes]",
) -> FlowRun:
    """Let a scan land, and let the sleeping process claim its run; return the flow run."""
    dataset = land("first")
    dispatcher.send_waiting()
    ((key, flow_run),) = prefect.flow_runs.items()
    flow_run.state = State(type=StateType.RUNNING)
    flow_run.infrastructure_pid = whereabouts.describe(sleeper.pid)
    with Session(engine) as session:
        dispatch = session.scalars(select(Dispatch.id)).one()
    runs.claim(
        engine,
        dataset_id=dataset,
        flow="ct",
        parameters={},
        dispatch_id=dispatch,
        flow_run_id=str(key),
        reason="",
        host=os.uname().nodename,
        pid=sleeper.pid,
        process_started=process_started(sleeper.pid),
    )
    return flow_run


def run_state(engine: Engine) -> str:
    with Session(engine) as session:
        return session.scalars(select(Run.state)).one()


def test_a_process_that_lives_and_says_nothing_is_killed(
    engine: Engine,
    prefect: FakePrefect,
    claimed: FlowRun,
    sleeper: "subprocess.Popen[bytes]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reconciler = Reconciler(engine, prefect, Runs(stale_seconds=60))  # type: ignore[arg-type]
    reconciler.reconcile()
    with Session(engine) as session, session.begin():
        session.execute(update(Attempt).values(heartbeat_at=Attempt.claimed_at - TEN_MINUTES))
    reconciler.reconcile()
    assert run_state(engine) == "running", "the catalogue may have been away: it may speak yet"
    monkeypatch.setitem(LASTS, "hung", 0.0)
    reconciler.reconcile()
    assert run_state(engine) == "waiting"
    assert sleeper.wait(5) == -9
    assert claimed.state is not None
    assert claimed.state.type == StateType.CRASHED


def test_a_flow_run_whose_process_is_gone_is_ended_in_prefect(
    engine: Engine,
    prefect: FakePrefect,
    claimed: FlowRun,
    sleeper: "subprocess.Popen[bytes]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infra.reconcile.GONE_SECONDS", 0.0)
    reconciler = Reconciler(engine, prefect, Runs())  # type: ignore[arg-type]
    reconciler.end_zombies()
    assert claimed.state is not None
    assert claimed.state.type == StateType.RUNNING
    sleeper.kill()
    sleeper.wait()
    reconciler.end_zombies()
    assert claimed.state.type == StateType.CRASHED


def test_what_was_taken_and_not_claimed_is_sent_again_once_its_process_is_gone(
    engine: Engine,
    prefect: FakePrefect,
    dispatcher: Dispatcher,
    land: Callable[..., UUID],
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    land("first")
    dispatcher.send_waiting()
    (flow_run,) = prefect.flow_runs.values()
    flow_run.state = State(type=StateType.RUNNING)
    flow_run.infrastructure_pid = whereabouts.describe(sleeper.pid)
    with Session(engine) as session, session.begin():
        session.execute(update(Dispatch).values(sent_at=Dispatch.sent_at - TEN_MINUTES))
    reconciler = Reconciler(engine, prefect, Runs())  # type: ignore[arg-type]
    reconciler.reconcile()
    assert len(waits_for(engine)) == 1, "its process lives"
    sleeper.kill()
    sleeper.wait()
    reconciler.reconcile()
    assert len(waits_for(engine)) == 2
    assert dispatcher.send_waiting() == 1
    assert len(prefect.made) == 2


def test_a_run_is_due_by_the_clock_of_the_database_not_by_ours(
    engine: Engine,
    prefect: FakePrefect,
    dispatcher: Dispatcher,
    land: Callable[..., UUID],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=2)
    monkeypatch.setattr("prefect.types._datetime.now", lambda *_: ahead)
    land("first")
    dispatcher.send_waiting()
    (made,) = prefect.made.values()
    assert made["state"].state_details.scheduled_time <= datetime.now(UTC)


# -- what the worker tells ------------------------------------------------------------------


def test_a_worker_that_knows_why_says_so_and_the_run_is_tried_again(
    engine: Engine,
    prefect: FakePrefect,
    claimed: FlowRun,
    catalog_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DAYSEYE_CATALOG_DSN", catalog_dsn)
    heard = Nudges(catalog_dsn, CRASHED, outbox.CHANNEL)
    heard.wait(0.0)
    worker_service._tell(Nudges(catalog_dsn), claimed.id, "The kernel ended it.")
    assert CRASHED in heard.wait(5.0)
    Reconciler(engine, prefect, Runs(retry_seconds=1)).reconcile()  # type: ignore[arg-type]
    with Session(engine) as session:
        attempt = session.scalars(select(Attempt)).one()
        assert (attempt.state, attempt.reason) == ("lost", "The kernel ended it.")
        assert not attempt.interrupted
    assert run_state(engine) == "waiting"
    assert waits_for(engine)[-1] == "attempt 2 begins 1 s after: The kernel ended it."


def test_a_cancelled_run_is_not_lost(
    engine: Engine, claimed: FlowRun, catalog_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAYSEYE_CATALOG_DSN", catalog_dsn)
    worker_service._tell(Nudges(catalog_dsn), claimed.id, CANCELLED)
    with Session(engine) as session:
        assert session.scalars(select(Attempt.state)).one() == "running"


def test_why_a_process_ended_is_told_by_the_kernels_counter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process: Any = SimpleNamespace(pid=5)
    active = worker._Active(process, ended=None, held=3 * 2**30, kills_before=0)  # type: ignore[arg-type]
    monkeypatch.setattr("infra.memory.kills", lambda: 0)
    assert "SIGKILL" in worker._why(active, -9)
    monkeypatch.setattr("infra.memory.kills", lambda: 1)
    assert "for want of memory: it held 3.0 GiB" in worker._why(active, -9)
    assert "SIGSEGV" in worker._why(active, -11)
