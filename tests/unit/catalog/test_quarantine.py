import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog import quarantine, runs
from catalog.errors import CatalogError, NotFound
from catalog.models import Dataset, Dispatch, Inbox, LifecycleEvent, Run, uuid7

WHO = {"actor": "cli:ada", "reason": "what is there is enough"}


def accept(engine, dataset_id):
    with Session(engine) as session, session.begin():
        return quarantine.accept(session, dataset_id, **WHO).state


def history(engine, dataset_id):
    with Session(engine) as session:
        rows = session.scalars(
            select(LifecycleEvent)
            .where(LifecycleEvent.dataset_id == dataset_id)
            .order_by(LifecycleEvent.id)
        )
        return [each.to_state or each.event for each in rows]


def unsent(engine):
    with Session(engine) as session:
        return len(session.scalars(select(Dispatch.id).where(Dispatch.sent_at.is_(None))).all())


@pytest.mark.parametrize("stage", ["incomplete", "aborted", "broken"])
def test_what_is_accepted_is_reduced(engine, sight, stage):
    recorded = sight(stage=stage, reason="3 of 10 frames", format="dxchange")
    assert unsent(engine) == 0
    assert accept(engine, recorded.dataset_id) == "validated"
    assert unsent(engine) == 1
    assert history(engine, recorded.dataset_id)[-2:] == ["acquired", "validated"]
    again = sight(stage=stage, reason="3 of 10 frames", format="dxchange")
    assert (again.note, again.state) == ("known already", "validated")


def test_what_is_accepted_waits_for_its_calibrations(engine, sight):
    recorded = sight(stage="incomplete", format="dxchange", needs=["flat"])
    assert accept(engine, recorded.dataset_id) == "waiting_for_calibration"


def test_a_calibration_that_is_accepted_serves(engine, sight):
    waiting = sight(needs=["flat"])
    flats = sight(
        "flats", kind="calibration", calibration_kinds=["flat"], stage="aborted", format="dxchange"
    )
    assert accept(engine, flats.dataset_id) == "validated"
    with Session(engine) as session:
        assert session.get_one(Dataset, waiting.dataset_id).state == "validated"


def test_what_cannot_be_accepted(engine, sight):
    unreadable = sight("a", stage="broken", reason="It is cut short.")
    with pytest.raises(CatalogError, match=r"could be read \(It is cut short.\): mend"):
        accept(engine, unreadable.dataset_id)
    with pytest.raises(CatalogError, match="is validated: only what is quarantined"):
        accept(engine, sight("b").dataset_id)
    with pytest.raises(NotFound):
        accept(engine, uuid7())
    with Session(engine) as session, pytest.raises(CatalogError, match="not quarantined"):
        aborted = sight("c", stage="aborted")
        quarantine.release(session, aborted.dataset_id, **WHO)


def test_what_a_run_set_aside_is_tried_again(engine, sight, claim_of):
    recorded = sight(format="dxchange")
    runs.fail(engine, claim_of(recorded.dataset_id), "All frames are dark.", quarantine=True)
    with Session(engine) as session, session.begin():
        assert session.get_one(Dataset, recorded.dataset_id).state == "quarantined"
        quarantine.release(session, recorded.dataset_id, **WHO)
    with Session(engine) as session:
        assert [each.state for each in session.scalars(select(Run))] == ["waiting"]
    assert unsent(engine) == 1


def test_a_recheck_asks_the_trigger(engine, sight):
    about = {"stage": "broken", "reason": "It is cut short."}
    recorded = sight(**about)
    assert sight(**about).note == "known already"
    with Session(engine) as session, session.begin():
        quarantine.recheck(session, recorded.dataset_id, actor="cli:ada", reason="mended")
        [asked] = session.scalars(select(Inbox))
        assert (asked.source, asked.paths) == ("recheck", ["/data/raw/tooth.h5"])
    assert sight(**{**about, "reason": "It is still cut short."}).state == "quarantined"
    assert sight().note == "known already"  # one look for one question
    with Session(engine) as session, session.begin():
        quarantine.recheck(session, recorded.dataset_id, actor="cli:ada")
    assert sight().state == "validated"
    assert unsent(engine) == 1


def test_files_elsewhere_are_ingested_again(engine, sight, a_file):
    recorded = sight(stage="broken", files=[a_file(storage="/elsewhere")])
    with Session(engine) as session, pytest.raises(CatalogError, match="dayseye ingest PATH"):
        quarantine.recheck(session, recorded.dataset_id, actor="cli:ada")


def test_the_list(engine, sight):
    sight("a", stage="broken", reason="It is cut short.")
    sight("b", stage="aborted", reason="beam dump", format="dxchange")
    sight("c")
    with Session(engine) as session:
        [broken] = quarantine.set_aside(session)
        assert (broken.name, broken.reason, broken.path, broken.readable) == (
            "a", "It is cut short.", "/data/raw/a.h5", False,
        )  # fmt: skip
        every = quarantine.set_aside(session, states=quarantine.SET_ASIDE)
        assert [each.name for each in every] == ["b", "a"]
        assert quarantine.set_aside(session, beamline="other") == []


def test_the_rest_of_an_accepted_scan_is_a_new_version(engine, sight, claim_of, finish, a_file):
    part = {"stage": "incomplete", "format": "dxchange"}
    recorded = sight(**part)
    accept(engine, recorded.dataset_id)
    finish(claim_of(recorded.dataset_id))
    more = [a_file(size=1500, mtime_ns=2, fingerprint="more")]
    assert sight(**part, files=more).note == "accepted as it was; the rest has not come"
    whole = sight(format="dxchange", files=[a_file(size=2000, mtime_ns=3, fingerprint="whole")])
    assert whole.note.startswith("the rest of a scan")
    with Session(engine) as session:
        runs_of = session.execute(select(Run.version, Run.state).order_by(Run.version)).all()
    assert [tuple(each) for each in runs_of] == [(1, "completed"), (2, "waiting")]
    assert "raw_changed" not in history(engine, recorded.dataset_id)
