"""The trigger and the real catalogue together: nothing lost, nothing twice."""

import statistics
import threading
import time

import h5py
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.known_files import known_files
from catalog.models import Dataset, Dispatch, LifecycleEvent
from triggers.ingest import ingest
from triggers.service import Catalogue, run

# watchdog meets a new folder twice and says so at length
pytestmark = pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")

SCHEMA = {"type": "object", "additionalProperties": False, "properties": {}}


@pytest.fixture
def engine(catalog_engine, beamline):
    with Session(catalog_engine) as session, session.begin():
        recipes.publish_flow(session, "ct", "ct", "1", SCHEMA)
        recipes.publish_beamline(
            session,
            id=beamline.id,
            name=beamline.id,
            technique="ct",
            flow="ct",
            folders=beamline.folders,
            output_template=beamline.output,
        )
    return catalog_engine


def datasets(engine):
    with Session(engine) as session:
        return {each.name: each for each in session.scalars(select(Dataset))}


def states(engine):
    return {name: dataset.state for name, dataset in datasets(engine).items()}


def test_scans_become_dispatches_once(engine, beamline, start, raw, write_scan, wait_for):
    write_scan(raw / "before.h5", uid="1")
    start(ledger=Catalogue(engine))
    write_scan(raw / "after.h5", uid="2")
    wait_for(lambda: states(engine) == {"before": "validated", "after": "validated"})
    start(ledger=Catalogue(engine))  # a second one, as after a restart
    write_scan(raw / "last.h5", uid="3")
    wait_for(lambda: len(states(engine)) == 3)
    with Session(engine) as session:
        assert len(session.scalars(select(Dispatch)).all()) == 3


def test_restart_skips_what_is_known(engine, beamline, start, raw, write_scan, wait_for):
    path = write_scan(raw / "scan.h5")
    ingest(engine, path, beamline)
    with Session(engine) as session:
        assert {known[0] for known in known_files(session, beamline.id)} == {str(path)}
    looked_at = []

    class Observed(Catalogue):
        def record_many(self, sightings):
            looked_at.extend(each.name for each in sightings)
            return super().record_many(sightings)

    start(ledger=Observed(engine))
    write_scan(raw / "new.h5")
    wait_for(lambda: "new" in looked_at)
    assert "scan" not in looked_at


def test_waits_for_flats(engine, start, raw, write_scan, wait_for):
    start(ledger=Catalogue(engine))
    path = write_scan(raw / ".scan", uid="1")
    with h5py.File(path, "r+") as file:
        del file["exchange/data_white"], file["exchange/data_dark"]
    path.rename(raw / "scan.h5")
    wait_for(lambda: states(engine).get("scan") == "waiting_for_calibration")
    path = write_scan(raw / ".flats", uid="2")
    with h5py.File(path, "r+") as file:
        del file["exchange/data"], file["exchange/theta"]
    path.rename(raw / "flats.h5")
    wait_for(lambda: states(engine).get("scan") == "validated")


def test_quarantine_and_reuse_of_the_name(engine, start, raw, write_scan, wait_for):
    start(ledger=Catalogue(engine))
    (raw / "scan.h5").write_text("no scan")
    wait_for(lambda: states(engine).get("scan") == "quarantined")
    assert "is not an HDF5 file" in datasets(engine)["scan"].state_reason
    write_scan(raw / "scan.h5")
    wait_for(lambda: states(engine).get("scan") == "validated")


def test_incomplete_then_resumed(engine, start, raw, write_scan, wait_for):
    start(ledger=Catalogue(engine))
    write_scan(raw / "scan.h5", frames=3, planned=5)
    wait_for(lambda: states(engine).get("scan") == "incomplete")
    write_scan(raw / "scan.h5", frames=5)
    wait_for(lambda: states(engine).get("scan") == "validated")


def test_changed_bytes_are_an_alarm(engine, start, raw, write_scan, wait_for):
    start(ledger=Catalogue(engine))
    path = write_scan(raw / "scan.h5", uid="1")
    wait_for(lambda: states(engine) == {"scan": "validated"})
    with h5py.File(path, "r+") as file:
        file["exchange/data"][0] += 1

    def alarms():
        with Session(engine) as session:
            level = LifecycleEvent.level == "alarm"
            return session.scalars(select(LifecycleEvent.event).where(level)).all()

    assert wait_for(alarms) == ["raw_changed"]


def test_series_and_entries(engine, beamline, tiff_series, raw, write_entry):
    write_entry(raw / "day.nxs", "entry1", uid="a")
    write_entry(raw / "day.nxs", "entry2", uid="b")
    assert len(ingest(engine, raw, beamline)) == 3
    assert states(engine) == {
        "day-entry1": "validated",
        "day-entry2": "validated",
        "series": "waiting_for_calibration",
    }
    assert {each.state for each in ingest(engine, tiff_series, beamline)} == {
        "waiting_for_calibration"
    }
    assert len(datasets(engine)) == 3


def test_close_to_dispatch(engine, beamline, raw, write_scan, wait_for):
    stop = threading.Event()
    thread = threading.Thread(target=run, args=([beamline], engine, stop))
    thread.start()
    try:
        write_scan(raw / "warm.h5")
        wait_for(lambda: states(engine))
        delays = []
        for number in range(15):
            write_scan(raw / f"scan_{number}.h5", uid=str(number))
            closed = time.monotonic()
            wait_for(lambda name=f"scan_{number}": name in states(engine))
            delays.append(time.monotonic() - closed)
    finally:
        stop.set()
        thread.join(10)
    assert statistics.median(delays) < 1.0
