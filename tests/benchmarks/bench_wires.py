"""How long from the end of a scan until the catalogue has it complete, by kind of trigger.

Run it with ``python tests/benchmarks/bench_wires.py [SCANS]``. The process that the platform runs
for triggers stands on a PostgreSQL of its own; nothing is reduced. Each kind has a beamline that
hears of its data in no other way. What ends a scan is its rename (files), its stop document sent
(bluesky, kafka), the IOC's own time of the capture's end (epics), and the request sent (http).
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from caproto.threading.client import Context
from confluent_kafka import Producer
from fastapi.testclient import TestClient
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from catalog.api import create_app
from catalog.connection import connect
from catalog.migrate import migrate
from infra.postgres import EmbeddedPostgres
from infra.simulator.bluesky import PACK, Station, publisher, small_plan
from infra.simulator.bluesky_proxy import proxy
from infra.simulator.plan import Delivery
from infra.simulator.scan import write_scan
from tests.conftest import free_port
from triggers.epics import Broadcaster

SCANS, IDLE_SECONDS, DEADLINE = 30, 20.0, 60.0
KINDS = ("files", "bluesky", "kafka", "epics", "http")
TOPIC, PREFIX = "documents", "BENCH:HDF1:"
BEAMLINE = """
[[beamlines]]
id = "{kind}"
folders = ["{kind}"]
output = "processed/{kind}/{{scan}}"
triggers = {{ {triggers} }}
"""
COMPLETE = text(
    "SELECT extract(epoch FROM min(e.at)) FROM lifecycle_event e "
    "JOIN dataset d ON d.id = e.dataset_id WHERE d.name = :name AND e.to_state = 'acquired'"
)
LISTENING = text("SELECT count(*) FROM trigger_status WHERE state = 'listening'")

Scan = Callable[[str], float]
"""Measures one scan under a name; returns when it ended."""


@dataclass
class Bench:
    """The trigger process, and where its beamlines' data land."""

    folder: Path
    engine: Engine
    ports: dict[str, int]
    producer: Producer

    def complete_at(self, name: str) -> float:
        """Wait until the catalogue has a scan complete; return when it had."""

        def ask() -> float | None:
            with self.engine.connect() as connection:
                return connection.scalar(COMPLETE, {"name": name})

        return float(wait_for(ask))

    def listening(self) -> bool:
        with self.engine.connect() as connection:
            return connection.scalar(LISTENING) >= len(KINDS)


def wait_for(ask: Callable[[], object]) -> object:
    deadline = time.monotonic() + DEADLINE
    while not (found := ask()):
        if time.monotonic() > deadline:
            raise TimeoutError("it has not come")
        time.sleep(0.02)
    return found


# -- one scan by each way ----------------------------------------------------------------------


@contextmanager
def scans_of(kind: str, bench: Bench) -> Iterator[Scan]:
    """Begin what a kind needs; yield what measures one scan."""
    with ExitStack() as stack:
        if kind == "epics":
            yield stack.enter_context(captures(bench))
        elif kind == "http":
            yield stack.enter_context(posts(bench))
        elif kind == "files":
            yield lambda name: written(bench, kind, name)
        else:
            yield stack.enter_context(runs(kind, bench))


def written(bench: Bench, kind: str, name: str) -> float:
    write_scan(bench.folder / kind, replace(small_plan(name), delivery=Delivery()))
    return time.time()


@contextmanager
def runs(kind: str, bench: Bench) -> Iterator[Scan]:
    ended: list[float] = []

    def measure(name: str) -> float:
        station.measure(small_plan(name, 0.1))
        return ended[-1]

    with publisher(f"127.0.0.1:{bench.ports['publish']}") as publish:

        def send(name: str, document: dict) -> None:
            if name == "stop":
                ended.append(time.time())
            if kind == "bluesky":
                publish(name, document)
            else:
                bench.producer.produce(TOPIC, key="one", value=PACK((name, document)))
                bench.producer.flush(5)

        station = Station(bench.folder / kind, (send,))
        yield measure


@contextmanager
def captures(bench: Bench) -> Iterator[Scan]:
    context = Context(Broadcaster((f"127.0.0.1:{bench.ports['epics']}",)))
    names = ("FileName", "Capture", "Capture_RBV")
    file_name, capture, state = context.get_pvs(*(PREFIX + name for name in names))
    state.wait_for_connection(timeout=10)

    def measure(name: str) -> float:
        file_name.write(name)
        capture.write("Capture", data_type=0)
        wait_for((bench.folder / f"epics/{name}.h5").exists)
        wait_for(lambda: state.read(data_type="time").data[0] == 0)
        return state.read(data_type="time").metadata.timestamp

    yield measure
    context.disconnect()


@contextmanager
def posts(bench: Bench) -> Iterator[Scan]:
    app = create_app(bench.engine, public_url="http://127.0.0.1", prefect_ui_url="", token="t")
    with TestClient(app, base_url="http://127.0.0.1") as client:

        def measure(name: str) -> float:
            written(bench, "http", name)
            sent = time.time()
            report = {"beamline": "http", "key": name, "paths": [f"{name}.nxs"]}
            headers = {"Authorization": "Bearer t"}
            client.post("/api/arrivals", json=report, headers=headers).raise_for_status()
            return sent

        yield measure


# -- the whole -----------------------------------------------------------------------------------


def settings(ports: dict[str, int], servers: list[str]) -> str:
    only = {
        "files": 'files = "events"',
        "bluesky": f'bluesky = {{ address = "127.0.0.1:{ports["documents"]}" }}',
        "kafka": f'kafka = {{ servers = {servers}, topic = "{TOPIC}" }}',
        "epics": f'epics = {{ prefix = "{PREFIX}", addresses = ["127.0.0.1:{ports["epics"]}"] }}',
        "http": "http = true",
    }
    tables = [
        BEAMLINE.format(kind=kind, triggers=way if kind == "files" else f'files = "off", {way}')
        for kind, way in only.items()
    ]
    return 'state = "state"\n' + "".join(tables)


@contextmanager
def process(command: list[str], **options: object) -> Iterator[subprocess.Popen]:
    started = subprocess.Popen([sys.executable, "-m", *command], **options)
    try:
        yield started
    finally:
        started.terminate()
        started.wait(20)


@contextmanager
def bench(folder: Path) -> Iterator[tuple[Bench, int]]:
    """Start all that it takes; yield it, and the pid of the trigger process."""
    ports = {name: free_port() for name in ("postgres", "publish", "documents", "epics")}
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 2})
    brokers = producer.list_topics(timeout=10).brokers.values()
    servers = [f"{broker.host}:{broker.port}" for broker in brokers]
    producer.produce(TOPIC, key="one", value=PACK(("launch", {})))
    producer.flush(10)
    for kind in (*KINDS, "state"):
        (folder / kind).mkdir()
    file = folder / "dayseye.toml"
    file.write_text(settings(ports, servers))
    postgres = EmbeddedPostgres(folder, ports["postgres"])
    postgres.start()
    with ExitStack() as stack:
        stack.callback(postgres.stop)
        migrate(postgres.dsn("catalog", "owner"), "dayseye_app")
        dsn = postgres.dsn("catalog", "app")
        engine = connect(dsn)
        stack.callback(engine.dispose)
        environment = {
            **os.environ,
            **{"DAYSEYE_SETTINGS": str(file), "DAYSEYE_STATE": str(folder / "state")},
            **{"DAYSEYE_CATALOG_DSN": dsn, "DAYSEYE_OWNER_DSN": postgres.dsn("catalog", "owner")},
        }
        quiet = {"env": environment, "stdout": subprocess.DEVNULL}
        prepare = [sys.executable, "-m", "infra.prepare_catalogue"]
        subprocess.run(prepare, check=True, **quiet)
        stack.enter_context(proxy(*(f"127.0.0.1:{ports[n]}" for n in ("publish", "documents"))))
        ioc = ["infra.simulator.epics", str(folder / "epics"), "--prefix", PREFIX]
        ioc += ["--port", str(ports["epics"]), "--seconds", "0.1"]
        stack.enter_context(process(ioc, **quiet))
        triggers = stack.enter_context(process(["infra.serve_triggers"], **quiet))
        made = Bench(folder, engine, ports, producer)
        wait_for(made.listening)
        yield made, triggers.pid


def latencies(kind: str, at: Bench, count: int) -> list[float]:
    """Measure scans of a kind, one after the other; return milliseconds, the smallest first."""
    with scans_of(kind, at) as scan:
        names = [f"{kind}-{number:03d}" for number in range(count)]
        times = [(scan(name), at.complete_at(name)) for name in names]
    return sorted(1000 * (complete - ended) for ended, complete in times)


def idle_share(pid: int) -> float:
    """Measure the CPU of a process that has nothing to do, in percent of a core."""
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(IDLE_SECONDS)
    return 100 * (sum(process.cpu_times()[:2]) - before) / IDLE_SECONDS


def main(count: int) -> int:
    """Measure, and print a table."""
    table = Table("trigger", "median", "p95", "largest", title=f"{count} scans each, ms")
    with tempfile.TemporaryDirectory(prefix="dayseye-bench-") as made:
        Path(made).chmod(0o755)
        with bench(Path(made)) as (at, pid):
            idle = idle_share(pid)
            for kind in KINDS:
                late = latencies(kind, at, count)
                p95 = late[-(-95 * count // 100) - 1]
                figures = (statistics.median(late), p95, late[-1])
                table.add_row(kind, *(f"{each:.0f}" for each in figures))
    console = Console()
    console.print(table)
    console.print(f"The trigger process, idle with all wires on: {idle:.1f} % of a core.")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else SCANS))
