"""
The API over a catalogue of 1,000,000 datasets and 10,000,000 files: p50 and p95 of each question.

Run it with ``python tests/benchmarks/bench_catalogue.py [SCANS]`` (497,200 by default: about ten
minutes to make, 12 GB in a temporary folder, removed at the end). The application answers in a
process of its own, over a real socket; a client asks one question after another, each time for
another dataset, page, word or day. PostgreSQL has the settings of the platform. Goal: p95 <= 50 ms.
"""

import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from catalog.access.grants import give
from catalog.access.tokens import create_token
from catalog.connection import connect
from catalog.migrate import migrate
from infra.postgres import EmbeddedPostgres
from tests.benchmarks.large_catalogue import RARE_CHINESE, RARE_ENGLISH, fill

GOAL_MS = 50.0
ROUNDS = 60
QUICK = {"fsync": "off", "full_page_writes": "off", "maintenance_work_mem": "512MB"}
QUICK |= {"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "4GB"}
TOKEN = "of the benchmark"
SERVE = """
import sys, uvicorn
from catalog.api import create_app
from catalog.connection import connect
app = create_app(connect(sys.argv[1]), public_url="", prefect_ui_url="", token=sys.argv[3])
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
"""

Question = Callable[[Random], str]


class Facts:
    """What can be asked for: ids, names and days that the catalogue has."""

    def __init__(self, engine: Engine, share: int = 2) -> None:
        with engine.connect() as connection:
            # a share of the pages (per cent), not of the rows: it need not read them all
            some = (
                "SELECT id::text, kind, name, sample_id, proposal_id, taken_at, verdict "
                "FROM dataset TABLESAMPLE system (:share) REPEATABLE (1) LIMIT 20000"
            )
            self.rows = connection.execute(text(some), {"share": share}).all()
            proposals = dict(connection.execute(text("SELECT id, code FROM proposal")).all())
            samples = dict(connection.execute(text("SELECT id, name FROM sample")).all())
            runs = "SELECT id::text FROM run TABLESAMPLE system (:share) LIMIT 2000"
            self.runs = connection.scalars(text(runs), {"share": share}).all()
            self.first, self.last = connection.execute(
                text("SELECT min(taken_at), max(taken_at) FROM dataset")
            ).one()
            masks = "SELECT dataset_id::text FROM calibration WHERE kind = 'mask'"
            self.masks = connection.scalars(text(masks)).all()
        self.proposals = sorted(proposals.values())
        self.samples = sorted(set(samples.values()))

    def of(self, kind: str) -> list[str]:
        return [row.id for row in self.rows if row.kind == kind]

    def day(self, random: Random):
        return self.first + (self.last - self.first) * random.uniform(0.05, 0.9)


def questions(facts: Facts) -> dict[str, Question]:
    """Return what is asked, by name."""
    ids = {kind: facts.of(kind) for kind in ("raw", "derived", "calibration")}
    every = [row.id for row in facts.rows]
    names = [row.name for row in facts.rows]

    def listed(**fixed: object) -> Question:
        return lambda random: (
            "/api/datasets?"
            + urlencode(
                {
                    key: str(value(random)) if callable(value) else value
                    for key, value in fixed.items()
                }
            )
        )

    def shown(kind: str, after: str = "") -> Question:
        return lambda random: f"/api/datasets/{random.choice(ids[kind])}{after}"

    def beamline(random: Random) -> str:
        return f"bl{random.randint(1, 14):02d}"

    def cursor(random: Random) -> str:
        return random.choice(every)

    def proposal(random: Random) -> str:
        return random.choice(facts.proposals)

    def span(days: int, **more: object) -> Question:
        def ask(random: Random) -> str:
            day = facts.day(random)
            until = day.fromtimestamp(day.timestamp() + 86400 * days, day.tzinfo)
            fixed = {k: v(random) if callable(v) else v for k, v in more.items()}
            span = {"since": day.isoformat(), "until": until.isoformat()}
            return "/api/datasets?" + urlencode(span | fixed)

        return ask

    def sample(random: Random) -> str:
        return random.choice(facts.samples)

    return {
        "list: newest": listed(),
        "list: any page": listed(cursor=cursor),
        "list: 200 a page": listed(cursor=cursor, limit=200),
        "filter: beamline": listed(beamline=beamline, cursor=cursor),
        "filter: technique": listed(technique="mx", cursor=cursor),
        "filter: proposal": listed(proposal=proposal),
        "filter: proposal that is not there": listed(proposal="none"),
        "filter: sample": listed(sample=sample),
        "filter: state validated": listed(state="validated", cursor=cursor),
        "filter: state quarantined": listed(state="quarantined", cursor=cursor),
        "filter: state registered (none)": listed(state="registered"),
        "filter: kind raw": listed(kind="raw", cursor=cursor),
        "filter: kind calibration": listed(kind="calibration", cursor=cursor),
        "filter: verdict ok": listed(verdict="ok", cursor=cursor),
        "filter: verdict bad": listed(verdict="bad", cursor=cursor),
        "filter: one day": span(1),
        "filter: a year": span(365),
        "filter: since any day": listed(since=lambda random: facts.day(random).isoformat()),
        "filter: until any day": listed(until=lambda random: facts.day(random).isoformat()),
        "combined: beamline, quarantined": listed(
            beamline=beamline, state="quarantined", cursor=cursor
        ),
        "combined: beamline, verdict bad": listed(beamline=beamline, verdict="bad", cursor=cursor),
        "combined: beamline, kind calibration": listed(
            beamline=beamline, kind="calibration", cursor=cursor
        ),
        "combined: beamline, a week": span(7, beamline=beamline),
        "combined: a month, quarantined": span(30, state="quarantined"),
        "combined: a year, verdict bad, technique": span(365, verdict="bad", technique="ct"),
        "combined: proposal, kind, state": listed(
            proposal=proposal, kind="raw", state="quarantined"
        ),
        "combined: beamline, proposal of another": listed(beamline="bl01", proposal="2023-00100"),
        "combined: beamline, technique of another": listed(beamline="bl01", technique="mx"),
        "text: frequent": listed(text="battery", cursor=cursor),
        "text: rare": listed(text=RARE_ENGLISH),
        "text: not there": listed(text="xyzzy"),
        "text: a scan's name": listed(text=lambda random: random.choice(names)),
        "text: two letters": listed(text="fe", cursor=cursor),
        "text: Chinese, frequent": listed(text="电池", cursor=cursor),
        "text: Chinese, rare": listed(text=RARE_CHINESE),
        "text: Chinese, not there": listed(text="鲸鱼"),
        "text: one sign": listed(text="镍", cursor=cursor),
        "text: several words": listed(text="battery 牙齿 2023", cursor=cursor),
        "text: two frequent, one rare": listed(text=f"battery alloy {RARE_ENGLISH}"),
        "text and beamline": listed(text="电池", beamline=beamline, cursor=cursor),
        "text and quarantined": listed(text="tooth", state="quarantined"),
        "detail: raw": shown("raw"),
        "detail: derived": shown("derived"),
        "detail: calibration": shown("calibration"),
        "lineage: raw": shown("raw", "/lineage"),
        "lineage: derived": shown("derived", "/lineage"),
        "lineage: flat or dark": shown("calibration", "/lineage"),
        "lineage: mask of a beamline": lambda random: (
            f"/api/datasets/{random.choice(facts.masks)}/lineage"
        ),
        "runs: newest": lambda random: "/api/runs",
        "runs: failed": lambda random: "/api/runs?state=failed",
        "runs: of a beamline": lambda random: f"/api/runs?beamline={beamline(random)}",
        "runs: failed, of a beamline": lambda random: (
            f"/api/runs?state=failed&beamline={beamline(random)}"
        ),
        "runs: of a flow": lambda random: "/api/runs?flow=mx",
        "run: detail": lambda random: f"/api/runs/{random.choice(facts.runs)}",
        "status": lambda random: "/api/status",
        "metrics": lambda random: "/metrics",
        "health": lambda random: "/api/health",
    }


class Processor:
    """CPU time of the API's process and of the database's, which other work does not blur."""

    def __init__(self, api: int, engine: Engine) -> None:
        with engine.connect() as connection:
            backend = connection.scalar(text("SELECT pg_backend_pid()"))
        self.roots = [psutil.Process(api), psutil.Process(backend).parent()]

    def spent(self) -> float:
        """Return seconds since each process began."""
        every = [each for root in self.roots for each in (root, *root.children(recursive=True))]
        times = [each.cpu_times() for each in every if each.is_running()]
        return sum(each.user + each.system for each in times)


def ask(
    port: int, asked: dict[str, Question], token: str, processor: Processor
) -> dict[str, tuple[list[float], float]]:
    """Ask each question some times; return milliseconds, and those of CPU, by name."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    took: dict[str, tuple[list[float], float]] = {}
    for name, question in asked.items():
        random = Random(1)  # noqa: S311 - the same questions each time
        each: list[float] = []
        for turn in range(ROUNDS + 2):
            if turn == 2:
                before = processor.spent()
            path = question(random)
            began = time.perf_counter()
            client.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = client.getresponse()
            content = answer.read()
            if answer.status not in (200, 404):  # what a user may not see is not there
                raise RuntimeError(f"{path}: {answer.status} {content[:500]!r}")
            if turn > 1:
                each.append(1e3 * (time.perf_counter() - began))
        took[name] = each, 1e3 * (processor.spent() - before) / ROUNDS
    return took


def of_a_user(engine: Engine, facts: Facts) -> str:
    """Let a user see three proposals, old and new, besides what is public; return their token."""
    some = [facts.proposals[len(facts.proposals) * n // 4] for n in (1, 2, 3)]
    with Session(engine) as session, session.begin():
        for code in some:
            give(session, "benchmark", code, "read", by="benchmark")
        return create_token(session, "benchmark").token


@contextmanager
def serving(dsn: str) -> Iterator[tuple[int, int]]:
    """Serve the API over a catalogue in a process of its own; yield its port and its id."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SERVE, dsn, str(port), TOKEN])
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the API did not start")
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def report(took: dict[str, tuple[list[float], float]], title: str) -> bool:
    """Print the table; return whether the goal is met."""
    table = Table("question", "p50 ms", "p95 ms", "max ms", "CPU ms", title=title)
    slow = []
    for name, (each, cpu) in took.items():
        ordered = sorted(each)
        p95 = ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]
        if p95 > GOAL_MS:
            slow.append(name)
        figures = (statistics.median(ordered), p95, ordered[-1], cpu)
        style = "red" if p95 > GOAL_MS else None
        table.add_row(name, *(f"{each:.1f}" for each in figures), style=style)
    Console(width=100).print(table)
    print(f"p95 above {GOAL_MS:.0f} ms: {', '.join(slow) or 'none'}")
    return not slow


def sizes(engine: Engine) -> None:
    """Print what the tables take on disk."""
    statement = text(
        "SELECT relname, reltuples::bigint, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
        "ORDER BY pg_total_relation_size(oid) DESC LIMIT 12"
    )
    table = Table("table", "rows", "MB", "MB of indexes", title="size on disk")
    with engine.connect() as connection:
        for name, rows, size, indexes in connection.execute(statement):
            table.add_row(name, f"{rows:,}", f"{size / 1e6:,.0f}", f"{indexes / 1e6:,.0f}")
        whole = connection.scalar(text("SELECT pg_database_size(current_database())"))
    Console(width=100).print(table)
    print(f"the database: {whole / 1e9:.2f} GB")


@contextmanager
def large(scans: int) -> Iterator[EmbeddedPostgres]:
    """Make the catalogue, then start its server again with the settings of the platform."""
    folder = Path(tempfile.mkdtemp(prefix="dayseye-bench-"))
    folder.chmod(0o755)
    try:
        server = EmbeddedPostgres(folder, _free_port(), settings=QUICK)
        server.start()
        try:
            migrate(server.dsn("catalog", "owner"))
            began = time.monotonic()
            counts = fill(connect(server.dsn("catalog", "admin")), scans)
            print(json.dumps(counts), f"made in {time.monotonic() - began:.0f} s", flush=True)
        finally:
            server.stop()
        server = EmbeddedPostgres(folder, _free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def measure(dsn: str) -> bool:
    """Ask everything of a catalogue and print the tables; return whether the goal is met."""
    engine = connect(dsn)
    sizes(engine)
    facts = Facts(engine)
    asked = questions(facts)
    with serving(dsn) as (port, process):
        processor = Processor(process, engine)
        staff = ask(port, asked, TOKEN, processor)
        for operators in ("status", "metrics"):
            asked.pop(operators)
        user = ask(port, asked, of_a_user(engine, facts), processor)
    met = report(staff, f"as staff, {ROUNDS} each, one after another")
    return report(user, "as a user with three grants, who sees the public half too") and met


def main() -> int:
    """Make the catalogue, measure, and remove it."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    scans = int(sys.argv[1]) if len(sys.argv) > 1 else 497_200
    with large(scans) as server:
        return 0 if measure(server.dsn("catalog", "app")) else 1


if __name__ == "__main__":
    sys.exit(main())
