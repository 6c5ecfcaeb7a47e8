"""How long until a run's first line: the warm worker beside Prefect's own process worker.

Run it with ``python tests/benchmarks/bench_worker.py [COUNT]``. On one platform, in turn:

- file closed -> first line: a scan that announces its frames is moved into the beamline's folder;
  the flow's first act, its claim, is in the catalogue. The warm worker does the work.
- created -> first line: Prefect is asked for a run of a flow that only writes down the time; once
  on the warm worker's pool, once on a pool with Prefect's process worker.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import h5py
import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from catalog.connection import connect
from infra.addresses import ONE_THREAD
from infra.nudges import SENT, Nudges
from infra.processes import spawn
from infra.simulator import dxchange
from infra.simulator.phantom import Geometry
from infra.simulator.plan import ScanPlan, measure
from infra.up import Running, running

SMALL_FLOWS = Path(__file__).parents[1] / "system"
SETTINGS = """
state = "state"

[[beamlines]]
id = "bl07"
folders = ["incoming"]
output = "processed/{scan}"
"""
GOAL_SECONDS, GOAL_RATIO = 1.5, 1 / 8


class Bench:
    """One platform, a process worker beside it, and what is measured on them."""

    def __init__(self, folder: Path, life: Running) -> None:
        self.folder = folder
        self.life = life
        self.engine = connect(life.addresses.application_dsn, "benchmark")
        user, password = life.state.secret("prefect").split(":", 1)
        self.prefect = httpx.Client(
            base_url=life.addresses.prefect_api_url, auth=(user, password), timeout=60
        )
        self.nudges = Nudges(life.addresses.application_dsn)
        geometry = Geometry(columns=64, rows=4, projections=31, axis=31.3)
        plan = ScanPlan(name="small", geometry=geometry)
        self.scan = dxchange.write(folder, plan, measure(plan))

    def file_closed(self) -> float:
        """Let a scan land; return the seconds until its flow has claimed its run."""
        uid = str(uuid4())
        copy = self.folder / f"{uid}.part"
        copy.write_bytes(self.scan.read_bytes())
        with h5py.File(copy, "r+") as file:
            file["measurement/scan_uid"] = uid
        closed = time.time()
        copy.rename(self.folder / "incoming" / f"{uid}.h5")
        statement = text(
            "SELECT extract(epoch FROM attempt.claimed_at), run.state FROM attempt "
            "JOIN run ON run.id = attempt.run_id JOIN dataset ON dataset.id = run.dataset_id "
            "WHERE dataset.uid = :uid AND run.state IN ('completed', 'failed')"
        )
        claimed, state = self._wait(lambda: self._ask(statement, uid=uid))
        if state != "completed":
            raise RuntimeError("a reduction failed: no use in timing it")
        return float(claimed) - closed

    def created(self, deployment: str) -> float:
        """Ask Prefect for a run and nudge the worker; return the seconds until its first line."""
        note = self.folder / f"{uuid4()}.note"
        began = time.time()
        answer = self.prefect.post(
            f"/deployments/{deployment}/create_flow_run", json={"parameters": {"path": str(note)}}
        )
        flow_run = answer.raise_for_status().json()["id"]
        self.nudges.send(SENT)
        state = f"/flow_runs/{flow_run}"
        self._wait(lambda: self.prefect.get(state).json()["state_type"] == "COMPLETED")
        return float(note.read_text().split()[0]) - began

    def deploy(self, pool: str) -> str:
        """Deploy the flow that writes down the time on a pool; return the deployment's id."""
        flow = self.prefect.post("/flows/", json={"name": "note"}).raise_for_status().json()
        body = {
            "name": pool,
            "flow_id": flow["id"],
            "entrypoint": "small_flows:note",
            "path": str(SMALL_FLOWS),
            "work_pool_name": pool,
            "enforce_parameter_schema": False,
        }
        return self.prefect.post("/deployments/", json=body).raise_for_status().json()["id"]

    def start_process_worker(self) -> None:
        """Start Prefect's own worker, looking for runs as often as it can be told to."""
        environment = {
            **self.life.addresses.environment(),
            **python_path(),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }
        command = [sys.executable, "-m", "prefect", "worker", "start"]
        command += ["--pool", "process", "--type", "process"]
        self.worker = spawn(command, env=environment, log=self.folder / "process-worker.log")
        pool = "/work_pools/process"
        self._wait(lambda: self.prefect.get(pool).status_code == httpx.codes.OK)

    def _ask(self, statement, **values):
        with self.engine.connect() as connection:
            return connection.execute(statement, values).first()

    @staticmethod
    def _wait(condition, seconds: float = 120.0):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise TimeoutError("a run did not end in time")
            time.sleep(0.02)
        return found


def python_path() -> dict[str, str]:
    """Return the environment in which the small flows can be imported."""
    return {"PYTHONPATH": os.pathsep.join([str(SMALL_FLOWS), os.environ.get("PYTHONPATH", "")])}


def main(count: int) -> int:
    """Measure in turn, print a table, and return 0 if the goals are met."""
    with tempfile.TemporaryDirectory(prefix="dayseye-bench-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "incoming").mkdir()
        (folder / "dayseye.toml").write_text(SETTINGS)
        environment = {**ONE_THREAD, **python_path()}
        with running(folder / "dayseye.toml", environment=environment) as life:
            bench = Bench(folder, life)
            bench.start_process_worker()
            warm, process = bench.deploy("dayseye"), bench.deploy("process")
            measures = {
                "file closed, warm worker": bench.file_closed,
                "created, warm worker": lambda: bench.created(warm),
                "created, Prefect's process worker": lambda: bench.created(process),
            }
            seconds = {name: [] for name in measures}
            for _ in range(count):
                for name, one in measures.items():
                    seconds[name].append(one())
            bench.worker.terminate()
            bench.worker.wait()
            return report(seconds)


def report(seconds: dict[str, list[float]]) -> int:
    """Print the table; the last measure is what the others are compared with."""
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    base = list(medians.values())[-1]
    count = len(next(iter(seconds.values())))
    table = Table("until the first line", "median", "min", "max", "ratio", title=f"{count} each")
    for name, each in seconds.items():
        ratio = f"1/{base / medians[name]:.1f}"
        table.add_row(name, *(f"{f(each):.2f} s" for f in (statistics.median, min, max)), ratio)
    Console().print(table)
    ours = next(iter(medians.values()))
    return 0 if ours <= GOAL_SECONDS and ours / base <= GOAL_RATIO else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50))
