"""Rules, reports and a person's words, from the files through the trigger to the catalogue."""

import threading

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog import inbox, quarantine, recipes
from catalog.models import Dataset, LifecycleEvent, Proposal, Run
from triggers.service import run

# watchdog meets a new folder twice and says so at length
pytestmark = pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")

SCHEMA = {"properties": {"padding": {"default": 1}}}
RULES = [
    {"name": "scratch", "match": ["tmp/**"], "ignore": True},
    {"name": "quick", "match": ["quick/*.h5"], "recipe": {"padding": 4}},
    {"name": "marked", "match": ["marked/*"], "done_marker": "{stem}.done"},
]


@pytest.fixture
def beamline(make_beamline):
    return make_beamline(rules=RULES, timeout_seconds=60.0)


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
            rules=[
                {"name": each["name"], "flow": "ct", "recipe": each.get("recipe", {})}
                for each in RULES[1:]
            ],
        )
    return catalog_engine


@pytest.fixture
def trigger(engine, beamline):
    """The whole trigger, inbox and all."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=([beamline], engine, stop))
    thread.start()
    yield
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def dataset(engine, wait_for):
    """Wait until a dataset stands where it should."""

    def find(name, state):
        def is_so():
            with Session(engine) as session:
                found = select(Dataset).where(Dataset.name == name, Dataset.state == state)
                return session.scalar(found)

        return wait_for(is_so)

    return find


def report(engine, path, key="1", **payload):
    with Session(engine) as session, session.begin():
        inbox.report(
            session,
            beamline="imaging",
            source="http",
            key=key,
            paths=[str(path)],
            payload=payload,
            actor="daq",
        )


def test_rules_take_what_lands(engine, trigger, dataset, raw, write_scan):
    for name in ("tmp", "quick", "marked"):
        (raw / name).mkdir()
    write_scan(raw / "tmp" / "a.h5")
    write_scan(raw / "quick" / "b.h5")
    write_scan(raw / "marked" / "c.h5", uid="c")
    write_scan(raw / "d.h5")
    rules = {name: dataset(name, "validated").rule for name in ("b", "d")}
    assert rules == {"b": "quick", "d": ""}
    assert dataset("c", "registered").rule == "marked"
    (raw / "marked" / "c.done").touch()
    dataset("c", "validated")
    with Session(engine) as session:
        rows = session.execute(
            select(Dataset.name, Run.parameters).join(Run, Run.dataset_id == Dataset.id)
        )
        given = {name: parameters["padding"] for name, parameters in rows}
    assert given == {"b": 4, "c": 1, "d": 1}


def test_an_aborted_run_and_what_a_person_makes_of_it(engine, trigger, dataset, raw, write_scan):
    path = write_scan(raw / "scan.h5", uid="u1", frames=3)
    report(engine, path, stage="started", uid="u1", proposal="p1")
    dataset("scan", "registered")
    report(engine, path, stage="aborted", reason="beam dump")
    aborted = dataset("scan", "aborted")
    assert "beam dump" in aborted.state_reason
    with Session(engine) as session, session.begin():
        assert session.get_one(Proposal, aborted.proposal_id).code == "p1"
        quarantine.accept(session, aborted.id, actor="cli:ada", reason="enough")
    dataset("scan", "validated")


def test_a_report_that_comes_after_the_end_is_added(
    engine, trigger, dataset, raw, write_scan, wait_for
):
    path = write_scan(raw / "scan.h5", uid="u1")
    dataset("scan", "validated")
    report(engine, path, stage="finished", uid="u1", sample="molar", plan="fly")
    found = dataset("scan", "validated")

    def is_told():
        with Session(engine) as session:
            return session.get_one(Dataset, found.id).sample_id

    wait_for(is_told)
    with Session(engine) as session:
        told = session.get_one(Dataset, found.id)
        assert told.meta["plan"] == "fly" and told.sample_id
        assert len(session.scalars(select(Run)).all()) == 1


def test_a_recheck_looks_once_more(engine, trigger, dataset, raw, write_scan, wait_for):
    path = write_scan(raw / "scan.h5", uid="u1")
    path.write_bytes(path.read_bytes()[:700])
    broken = dataset("scan", "quarantined")
    with Session(engine) as session, session.begin():
        quarantine.recheck(session, broken.id, actor="cli:ada", reason="what about now?")

    def history():
        with Session(engine) as session:
            rows = select(LifecycleEvent.event).where(LifecycleEvent.dataset_id == broken.id)
            return session.scalars(rows.order_by(LifecycleEvent.id)).all()

    wait_for(lambda: history()[-1] == "quarantined" and "recheck" in history())
    assert history()[-3:] == ["recheck", "acquired", "quarantined"]
