"""One real platform for all system tests, as `dayseye up` starts it."""

import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.connection import connect
from catalog.models import Dataset, Run
from infra.simulator.phantom import Geometry
from infra.simulator.plan import ScanPlan
from infra.simulator.scan import write_scan
from infra.up import Running, running
from tests.conftest import free_port

HERE = Path(__file__).parent
SETTINGS = """
state = "state"

[runs]
stale_seconds = 20.0
retry_seconds = 2.0

[[beamlines]]
id = "bl07"
folders = ["incoming"]
output = "processed/{scan}"
rescan_seconds = 5.0

[[beamlines]]
id = "hasty"
folders = ["hasty"]
output = "processed/hasty/{scan}"
rescan_seconds = 2.0
quiet_seconds = 0.5
grace_seconds = 1.0
timeout_seconds = 6.0

[[beamlines]]
id = "quick"
folders = ["quick"]
output = "processed/quick/{scan}"
output_mode = "0750"
rescan_seconds = 2.0

[[beamlines.rules]]
name = "series"
match = ["**"]
batch = { count = 3, seconds = 8.0 }

[[beamlines]]
id = "spectra"
technique = "xas"
folders = ["spectra"]
output = "processed/spectra/{scan}"
rescan_seconds = 2.0
quiet_seconds = 0.5
series = "folder"
recipe = { standards = "iron", libraries = [] }
"""

# spectra from anywhere, and a quick-scanning beamline that knows its standards
ABSORPTION = """
[[beamlines]]
id = "absorption"
series = "none"
technique = "xas"
folders = ["absorption"]
output = "processed/absorption/{scan}"
rescan_seconds = 2.0
quiet_seconds = 1.0
grace_seconds = 1.0
timeout_seconds = 60.0

[[beamlines.rules]]
name = "several"
match = ["**"]
batch = { count = 6, seconds = 3.0 }

[[beamlines]]
id = "kinetics"
series = "none"
technique = "xas"
folders = ["kinetics"]
output = "processed/kinetics/{scan}"
rescan_seconds = 1.0
quiet_seconds = 3.0
timeout_seconds = 60.0
recipe = { standards = "redox", libraries = ["redox"] }
"""

# total scattering: patterns that come integrated, and images that need a geometry
SCATTERING = """
[[beamlines]]
id = "scattering"
technique = "pdf"
folders = ["scattering"]
path_template = "{sample}/{scan}"
output = "processed/scattering/{scan}"
rescan_seconds = 1.0
quiet_seconds = 1.0
timeout_seconds = 60.0

[[beamlines.rules]]
name = "patterns"
match = ["**/*.xye"]
needs = ["container"]
recipe = { axis_unit = "tth_deg", wavelength = 0.270793 }

[[beamlines.rules]]
name = "unlabelled"
match = ["**/*.xy"]

[[beamlines.rules]]
name = "images"
match = ["**/*.tif"]
grouping = "file"
needs = ["geometry"]
recipe = { orientation = 2, background = "none" }

[[beamlines]]
id = "furnace"
technique = "pdf"
folders = ["furnace"]
path_template = "{sample}/{scan}"
output = "processed/furnace/{scan}"
rescan_seconds = 1.0
quiet_seconds = 1.0
timeout_seconds = 60.0
needs = ["geometry", "container"]
recipe = { structures = ["Ni.cif"] }
"""

# images that wait for the geometry that a calibrant gives
POWDER = """
[[beamlines]]
id = "powder"
technique = "pdf"
folders = ["powder"]
output = "processed/powder/{scan}"
rescan_seconds = 2.0
quiet_seconds = 1.0
needs = ["geometry"]

[[beamlines.rules]]
name = "air"
match = ["air/*"]
calibration = "empty"
"""

# sweeps of images; those of one sample are merged together
DIFFRACTION = """
[[beamlines]]
id = "diffraction"
technique = "mx"
folders = ["diffraction"]
path_template = "{sample}/{_}"
output = "processed/diffraction/{scan}"
rescan_seconds = 1.0
quiet_seconds = 2.0
grace_seconds = 1.0
timeout_seconds = 30.0
series = "none"

[[beamlines.rules]]
name = "together"
match = ["together/**"]
series = "sample"
"""

# only wires tell of its data
WIRED = """
[[beamlines]]
id = "wired"
folders = ["wired"]
output = "processed/wired/{{scan}}"
timeout_seconds = 20.0

[beamlines.triggers]
files = "off"
bluesky = {{ address = "127.0.0.1:{documents}", prefix = "wired" }}
epics = {{ prefix = "WIRED:HDF1:", addresses = ["127.0.0.1:{epics}"] }}
"""


def wait_for(condition, seconds=60.0, what=""):
    """Return what a condition returns as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what or condition}"
        time.sleep(0.1)
    return found


@dataclass
class Platform:
    """A platform that runs, and what tests ask of it."""

    folder: Path
    life: Running
    ports: dict[str, int]

    def __post_init__(self):
        self.engine = connect(self.life.addresses.application_dsn, "tests")
        self.prefect = httpx.Client(
            base_url=self.life.addresses.prefect_api_url,
            auth=tuple(self.life.state.secret("prefect").split(":", 1)),
            timeout=60,
        )
        self.api = httpx.Client(base_url=self.life.addresses.api_url, timeout=60)
        self.token = {"Authorization": f"Bearer {self.life.state.secret('api')}"}
        self._deployments = {}

    wait_for = staticmethod(wait_for)

    # -- processes --------------------------------------------------------------------------

    def service(self, name):
        """Return what the supervisor says about a service."""
        return self.life.services()[name]

    def processes(self):
        """Return the processes of this platform, told by their environment or their folder."""
        state, data = str(self.life.state.folder), str(self.life.addresses.postgres.data)
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if process.environ().get("DAYSEYE_STATE") == state or process.cwd() == data:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    # -- scans ------------------------------------------------------------------------------

    def drop_scan(self, name, seed=1, folder="incoming"):
        """Let a small scan land."""
        geometry = Geometry(columns=96, rows=8, projections=91, axis=46.3)
        write_scan(
            self.folder / folder, ScanPlan(name=name, geometry=geometry, seed=seed).identified()
        )

    def dataset(self, name):
        """Return a raw dataset by its name."""
        with Session(self.engine) as session:
            return session.scalar(
                select(Dataset).where(Dataset.name == name, Dataset.kind == "raw")
            )

    def runs(self, name):
        """Return the runs of a dataset, oldest first."""
        statement = select(Run).join(Dataset, Dataset.id == Run.dataset_id)
        with Session(self.engine) as session:
            return session.scalars(
                statement.where(Dataset.name == name).order_by(Run.version)
            ).all()

    # -- flow runs --------------------------------------------------------------------------

    def start(self, flow, **parameters):
        """Ask Prefect for a run of one of the small flows; return its id."""
        answer = self.prefect.post(
            f"/deployments/{self.deployment(flow)}/create_flow_run",
            json={"parameters": parameters, "work_queue_name": "live"},
        )
        return answer.raise_for_status().json()["id"]

    def deployment(self, flow):
        """Deploy a small flow on the platform's work pool, once."""
        if flow not in self._deployments:
            made = self.prefect.post("/flows/", json={"name": flow}).raise_for_status().json()
            body = {
                "name": "test",
                "flow_id": made["id"],
                "entrypoint": f"small_flows:{flow}",
                "work_pool_name": "dayseye",
                "enforce_parameter_schema": False,
            }
            answer = self.prefect.post("/deployments/", json=body).raise_for_status()
            self._deployments[flow] = answer.json()["id"]
        return self._deployments[flow]

    def state(self, flow_run):
        """Return the state of a flow run."""
        return self.prefect.get(f"/flow_runs/{flow_run}").raise_for_status().json()["state"]

    def cancel(self, flow_run):
        """Cancel a flow run, as the UI does."""
        state = {"type": "CANCELLING", "name": "Cancelling"}
        answer = self.prefect.post(f"/flow_runs/{flow_run}/set_state", json={"state": state})
        assert answer.raise_for_status().json()["status"] == "ACCEPT"


@pytest.fixture(scope="session")
def platform(tmp_path_factory):
    """Run a platform for the whole session."""
    with started(tmp_path_factory.mktemp("platform")) as platform:
        yield platform


@pytest.fixture
def doomed(tmp_path_factory):
    """Run a platform of a test's own, which may kill it."""
    with started(tmp_path_factory.mktemp("doomed")) as platform:
        yield platform


@contextmanager
def started(folder):
    """Start a platform in a folder; nothing of it is left afterwards."""
    for name in (
        "incoming",
        "hasty",
        "quick",
        "spectra",
        "absorption",
        "kinetics",
        "scattering",
        "furnace",
        "powder",
        "diffraction",
        "wired",
    ):
        (folder / name).mkdir()
    ports = {name: free_port() for name in ("publish", "documents", "epics")}
    settings = SETTINGS + ABSORPTION + SCATTERING + POWDER + DIFFRACTION + WIRED.format(**ports)
    (folder / "dayseye.toml").write_text(settings)
    environment = {
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
        "DAYSEYE_STATE": str(folder / "state"),
    }
    with running(folder / "dayseye.toml", environment=environment) as life:
        platform = Platform(folder, life, ports)
        yield platform
        platform.engine.dispose()
    wait_for(lambda: not platform.processes(), 20, "processes are left")
    shutil.rmtree(life.addresses.postgres.place)  # perhaps outside of our folder
