"""Scans that nobody but a wire tells of: Bluesky over 0MQ, areaDetector over EPICS, HTTP."""

import pickle
import statistics
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import zmq
from caproto.threading.client import Context
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.models import Dataset, DatasetFile, LifecycleEvent, TriggerStatus
from infra.simulator.bluesky import MEETING_SECONDS, Station, publisher, small_plan
from infra.simulator.bluesky_proxy import proxy
from infra.simulator.plan import Delivery
from infra.simulator.scan import write_scan
from triggers.epics import Broadcaster

SCANS = 5
LATE = 5.0


@pytest.fixture(scope="module")
def between(platform):
    """Run Bluesky's proxy where the platform listens."""
    addresses = [f"127.0.0.1:{platform.ports[name]}" for name in ("publish", "documents")]
    with proxy(*addresses) as made:
        platform.wait_for(lambda: status(platform, "bluesky").state == "listening")
        yield made


@pytest.fixture(scope="module")
def measure(platform, between):
    """Measure a scan as Bluesky does; return the uid of the run and when its stop was sent."""
    stopped = []
    with publisher(between.publish, prefix="wired") as publish:

        def note(name, document):
            publish(name, document)
            if name == "stop":
                stopped.append(time.time())

        station = Station(platform.folder / "wired", (note,))
        yield lambda plan, **more: (station.measure(plan, **more), stopped[-1])


@pytest.fixture(scope="module")
def capture(platform):
    """Run a soft IOC where the platform listens; capture a file."""
    port = platform.ports["epics"]
    command = [sys.executable, "-m", "infra.simulator.epics", str(platform.folder / "wired")]
    command += ["--prefix", "WIRED:HDF1:", "--port", str(port), "--seconds", "0.2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ioc:
        assert ioc.stdout.readline() == "The IOC is ready.\n"
        platform.wait_for(lambda: status(platform, "epics").state == "listening")
        context = Context(Broadcaster((f"127.0.0.1:{port}",)))
        names = ("FileName", "Capture", "Capture_RBV")
        name_pv, start_pv, state_pv = context.get_pvs(*(f"WIRED:HDF1:{each}" for each in names))
        state_pv.wait_for_connection(timeout=10)

        def begin(name):
            name_pv.write(name)
            start_pv.write("Capture", data_type=0)
            path = platform.folder / f"wired/{name}.h5"
            platform.wait_for(path.exists)
            return path, state_pv

        yield begin
        context.disconnect()
        ioc.kill()


def status(platform, kind):
    with Session(platform.engine) as session:
        found = session.get(TriggerStatus, ("wired", kind))
    return found or TriggerStatus(state="not yet")


def post(platform, **report):
    body = {"beamline": "wired", **report}
    answer = platform.api.post("/api/arrivals", json=body, headers=platform.token)
    assert answer.status_code == 202, answer.text
    return answer.json()


def reduced(platform, name):
    """Wait until a scan is reduced; return it, and when the catalogue knew it to be complete."""

    def done():
        runs = platform.runs(name)
        return runs and runs[-1].state == "completed"

    platform.wait_for(done, 120, f"{name} is reduced")
    assert len(platform.runs(name)) == 1
    with Session(platform.engine) as session:
        where = (Dataset.name == name, Dataset.kind == "raw")
        dataset = session.scalars(select(Dataset).where(*where)).one()
        events = select(func.min(LifecycleEvent.at)).where(
            LifecycleEvent.dataset_id == dataset.id, LifecycleEvent.to_state == "acquired"
        )
        return dataset, session.scalar(events).timestamp()


def tell(record_property, kind, latencies):
    figures = [round(1000 * each) for each in sorted(latencies)]
    record_property(f"{kind}_ms", figures)
    print(f"{kind}: from the end of the scan to the catalogue, ms: {figures}")
    assert statistics.median(latencies) < LATE


def test_a_bluesky_run_is_reduced(platform, measure, record_property):
    latencies = []
    for number in range(SCANS):
        name = f"run-{number}"
        uid, stopped = measure(small_plan(name, 0.5, seed=number), operator="night shift")
        dataset, known = reduced(platform, name)
        assert dataset.uid == uid
        assert dataset.meta["plan"] == "tomography"
        assert dataset.meta["bluesky"]["operator"] == "night shift"
        latencies.append(known - stopped)
    tell(record_property, "bluesky", latencies)


@pytest.mark.parametrize(("ending", "reason"), [("abort", "beam was lost"), ("fail", "shutter")])
def test_a_run_that_was_aborted_waits_for_a_person(platform, measure, ending, reason):
    measure(small_plan(f"half-{ending}", 0.3), ending=ending)
    aborted = platform.wait_for(
        lambda: (found := platform.dataset(f"half-{ending}")) and found.state == "aborted" and found
    )
    with Session(platform.engine) as session:
        of_dataset = select(LifecycleEvent).where(LifecycleEvent.dataset_id == aborted.id)
        last = session.scalars(of_dataset.order_by(LifecycleEvent.id.desc())).first()
    assert reason in last.reason
    assert "75 of 121" in last.reason
    assert platform.runs(f"half-{ending}") == []


def test_a_capture_is_reduced(platform, capture, record_property):
    latencies = []
    for number in range(SCANS):
        _, state = capture(f"capture-{number}")
        platform.wait_for(lambda state=state: state.read(data_type="time").data[0] == 0)
        ended = state.read(data_type="time").metadata.timestamp
        latencies.append(reduced(platform, f"capture-{number}")[1] - ended)
    tell(record_property, "epics", latencies)


def test_what_is_reported_over_http_is_reduced(platform, record_property):
    latencies = []
    for number in range(SCANS):
        name = f"posted-{number}"
        write_scan(platform.folder / "wired", replace(small_plan(name), delivery=Delivery()))
        posted = time.time()
        report = {"key": name, "paths": [f"{name}.nxs"], "sample": "from the report"}
        assert post(platform, **report)["created"]
        assert not post(platform, **report)["changed"]
        latencies.append(reduced(platform, name)[1] - posted)
    tell(record_property, "http", latencies)


def test_one_scan_that_all_tell_of_is_one_dataset_and_one_run(platform, measure):
    name = "told-by-all"
    for key in ("before", "twice"):
        post(platform, key=key, paths=[f"{name}.nxs"], stage="started")
    measure(small_plan(name, 1.0))
    for key in ("before", "twice", "after"):
        post(platform, key=key, paths=[f"{name}.nxs"], stage="finished")
    reduced(platform, name)
    time.sleep(3.0)  # whatever else would come of it
    assert len(platform.runs(name)) == 1
    with Session(platform.engine) as session:
        files = select(func.count(DatasetFile.dataset_id.distinct())).where(
            DatasetFile.path == f"{name}.nxs"
        )
        assert session.scalar(files) == 1


def test_a_pickle_on_the_wire_is_refused_and_told(platform, between, measure):
    before = status(platform, "bluesky").refused
    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        socket.connect(f"tcp://{between.publish}")
        time.sleep(MEETING_SECONDS)
        socket.send(b"wired start " + pickle.dumps({"uid": "a"}))
    platform.wait_for(lambda: status(platform, "bluesky").refused == before + 1)
    assert "pickle" in status(platform, "bluesky").note
    measure(small_plan("after-the-pickle", 0.2))
    reduced(platform, "after-the-pickle")
