"""Reports, from the inbox to the loop of their beamline, with the real catalogue."""

import threading
import time

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog import inbox, recipes
from catalog.models import Dataset, Inbox, TriggerStatus
from triggers import service
from triggers.inbox import Taker
from triggers.ledger import Catalogue
from triggers.loop import Loop
from triggers.rules import Triggers
from triggers.status import FilesStatus
from triggers.walker import Walker

# watchdog meets a new folder twice and says so at length
pytestmark = pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")


@pytest.fixture
def quiet(make_beamline):
    """A beamline of which only reports tell."""
    return make_beamline(triggers=Triggers(files="off"))


@pytest.fixture
def engine(catalog_engine, quiet):
    with Session(catalog_engine) as session, session.begin():
        for name in (quiet.id, "gone"):
            recipes.publish_beamline(
                session,
                id=name,
                name=name,
                technique="ct",
                flow=None,
                folders=quiet.folders,
                output_template=quiet.output,
            )
    return catalog_engine


def tell(engine, *paths, beamline="imaging", key="1", **payload):
    with Session(engine) as session, session.begin():
        return inbox.report(
            session,
            beamline=beamline,
            source="http",
            key=key,
            paths=[str(path) for path in paths],
            payload=payload,
            actor="control",
        ).id


def notes(engine):
    with Session(engine) as session:
        return {row.key: row.note for row in session.scalars(select(Inbox)) if row.handled_at}


def names(engine):
    with Session(engine) as session:
        return {each.name: each for each in session.scalars(select(Dataset))}


@pytest.fixture
def run(engine, quiet):
    stop = threading.Event()
    thread = threading.Thread(target=service.run, args=([quiet], engine, stop))
    thread.start()
    yield
    stop.set()
    thread.join(15)
    assert not thread.is_alive()


def test_a_reported_file_is_in_the_catalogue_at_once(engine, run, raw, write_scan, wait_for):
    write_scan(raw / "first.h5", uid="1")
    wait_for(lambda: "first" in names(engine))  # the walk at the start is over
    path = write_scan(raw / "scan.h5", uid="2")
    begin = time.monotonic()
    tell(engine, path, sample="shell", stage="finished")
    wait_for(lambda: "scan" in names(engine))
    assert time.monotonic() - begin < 3.0, "it was nudged, and did not wait for its turn"
    with Session(engine) as session:
        dataset = session.get_one(Dataset, names(engine)["scan"].id)
        assert dataset.sample_id is not None
    assert notes(engine) == {"1": "Told to look at 1 file."}


def test_what_a_report_says_later_is_entered_too(engine, run, raw, write_scan, wait_for):
    path = write_scan(raw / "scan.h5", uid="1")
    wait_for(lambda: "scan" in names(engine))
    tell(engine, path, sample="shell")
    wait_for(lambda: names(engine)["scan"].sample_id)


def test_reports_that_lead_nowhere_say_so(engine, quiet, raw):
    taker = Taker(engine, {quiet.id: Loop(quiet, Catalogue(engine))})
    tell(engine, key="empty", plan="count")
    tell(engine, raw / "scan.h5", key="gone", beamline="gone")
    assert taker.take() == 2
    assert taker.take() == 0
    said = notes(engine)
    assert said["empty"] == "It names no files yet."
    assert "not among the beamlines" in said["gone"]


def test_a_file_of_a_series_stands_for_the_series(engine, quiet, raw, tiff_series):
    taker = Taker(engine, {quiet.id: Loop(quiet, Catalogue(engine))})
    tell(engine, tiff_series / "projection_1.tif", sample="shell")
    taker.take()
    with Session(engine) as session:
        assert inbox.about(session, quiet.id, tiff_series) == {"sample": "shell"}


def test_the_state_of_the_files_trigger(engine, make_beamline, raw):
    beamline = make_beamline()
    loop = Loop(beamline, Catalogue(engine))
    walker = Walker(beamline, loop, Catalogue(engine), None)
    status = FilesStatus(engine, {beamline.id: loop}, {beamline.id: walker})

    def written():
        status.write()
        with Session(engine) as session:
            return session.get_one(TriggerStatus, (beamline.id, "files"))

    loop.arrivals, loop.heard_at = 3, time.time()
    first = written()
    assert (first.state, first.arrivals) == ("listening", 3)
    loop.arrivals = 5
    assert written().arrivals == 5
    walker.missing = (raw,)
    missing = written()
    assert (missing.state, missing.note) == ("unreachable", f"{raw} is not there.")
    walker.missing, loop.alive_at = (), time.monotonic() - 100
    hung = written()
    assert hung.state == "unreachable"
    assert "hung" in hung.note
