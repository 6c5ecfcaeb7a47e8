from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.arrivals import Recorded, SightedFile
from catalog.errors import CatalogError, NotFound
from catalog.known_files import known_files
from catalog.models import Dataset, DatasetFile, Dispatch, LifecycleEvent, Run, Sample

Sight = Callable[..., Recorded]
AFile = Callable[..., SightedFile]


def count(session: Session, table: type[Any]) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def events(session: Session, dataset_id: UUID) -> list[str]:
    rows = select(LifecycleEvent.event).where(LifecycleEvent.dataset_id == dataset_id)
    return list(session.scalars(rows.order_by(LifecycleEvent.id)))


def test_a_complete_scan_gets_its_run_and_its_dispatch_at_once(
    session: Session, sight: Sight
) -> None:
    seen = sight(proposal="2026-1", visit="1", sample="tooth of a mouse")
    assert (seen.created, seen.state) == (True, "validated")
    run = session.get_one(Run, seen.run_id)
    assert run.parameters == {"filter": "hann", "padding": 2, "rotation_axis": None}
    assert (run.version, run.lane, run.actor, run.state) == (1, "live", "trigger", "waiting")
    assert session.scalars(select(Dispatch.run_id)).all() == [run.id]


def test_a_second_sighting_changes_nothing(session: Session, sight: Sight) -> None:
    first, second = sight(), sight()
    assert second == replace(first, created=False, note="known already")
    tables = (Dataset, DatasetFile, Run, Dispatch)
    assert [count(session, table) for table in tables] == [1, 1, 1, 1]
    assert events(session, first.dataset_id) == ["registered", "acquired", "validated"]


def test_a_scan_is_in_the_catalogue_from_its_first_sighting(
    session: Session, sight: Sight, a_file: AFile
) -> None:
    opened = sight(stage="opened", files=[a_file(size=10, fingerprint="1")])
    grown = sight(stage="grown", files=[a_file(size=20, fingerprint="2")], detector="4 x 4")
    assert (opened.state, grown.state, grown.run_id) == ("registered", "registered", None)
    complete = sight(files=[a_file(size=30, fingerprint="3")], sample="leaf")
    assert complete.dataset_id == opened.dataset_id
    assert complete.state == "validated"
    dataset = session.get_one(Dataset, opened.dataset_id)
    assert session.get_one(Sample, dataset.sample_id).name == "leaf"
    assert session.scalars(select(DatasetFile.size)).all() == [30]


def test_a_temporary_name_is_no_input(session: Session, sight: Sight, a_file: AFile) -> None:
    sight(stage="opened", files=[a_file(path="tooth.h5.tmp")])
    sight(files=[a_file()])
    rows = session.execute(select(DatasetFile.path, DatasetFile.gone_at.is_(None)))
    assert sorted(rows) == [("tooth.h5", True), ("tooth.h5.tmp", False)]


def test_an_incomplete_scan_resumes(session: Session, sight: Sight) -> None:
    reason = "link target scan_0002.h5 is not there"
    waiting = sight(stage="incomplete", reason=reason)
    assert (waiting.state, waiting.note) == ("incomplete", reason)
    assert sight(stage="incomplete", reason=reason).state == "incomplete"
    resumed = sight()
    assert resumed.state == "validated"
    assert resumed.run_id is not None
    assert events(session, resumed.dataset_id)[1:3] == ["incomplete", "acquired"]


def test_a_broken_file_stands_in_quarantine_until_its_bytes_change(
    session: Session, sight: Sight, a_file: AFile
) -> None:
    empty = a_file(size=0, fingerprint="nothing")
    broken = sight(stage="broken", reason="tooth.h5 is empty", files=[empty])
    assert (broken.state, broken.note) == ("quarantined", "tooth.h5 is empty")
    assert sight(files=[empty]).state == "quarantined", "nothing has changed"
    half = a_file(size=5, fingerprint="half")
    assert sight(stage="grown", files=[half]).state == "quarantined"
    again = sight(stage="broken", reason="tooth.h5 is truncated", files=[half])
    assert (again.state, again.note) == ("quarantined", "tooth.h5 is truncated")
    assert sight(files=[a_file()]).state == "validated"
    assert count(session, Run) == 1


@pytest.mark.parametrize("stage", ["opened", "incomplete", "broken"])
def test_a_file_that_could_not_be_read_at_first_is_the_scan_that_it_turns_out_to_be(
    session: Session, sight: Sight, a_file: AFile, stage: str
) -> None:
    empty = a_file(size=0, fingerprint="nothing")
    unread = {"has_identity": False, "started_at": None, "reason": "tooth.h5 is empty"}
    first = sight("tooth.h5", stage=stage, files=[empty], **unread)
    entry1 = a_file(inner_path="/entry1", fingerprint="1")
    entry2 = a_file(inner_path="/entry2", fingerprint="2")
    known = sight("uid:1", uid="1", files=[entry1])
    assert (known.dataset_id, known.state) == (first.dataset_id, "validated")
    assert sight("uid:2", uid="2", files=[entry2]).dataset_id != first.dataset_id
    assert session.scalars(select(Dataset.entry_key).order_by(Dataset.id)).all() == [
        "uid:1",
        "uid:2",
    ]
    assert "identified" in events(session, first.dataset_id)


def test_another_file_under_the_same_name_is_another_scan(
    session: Session, sight: Sight, a_file: AFile
) -> None:
    first = sight(has_identity=False, files=[a_file(inode=1, fingerprint="a")])
    second = sight(has_identity=False, files=[a_file(inode=2, fingerprint="b")])
    third = sight(has_identity=False, files=[a_file(inode=3, fingerprint="c")])
    assert len({first.dataset_id, second.dataset_id, third.dataset_id}) == 3
    keys = session.scalars(select(Dataset.entry_key).order_by(Dataset.id)).all()
    assert keys == ["tooth", "tooth#2", "tooth#3"]
    assert not sight(has_identity=False, files=[a_file(inode=3, fingerprint="c")]).created
    folders = session.scalars(select(Dataset.output_folder).order_by(Dataset.id)).all()
    base = "/data/processed/unassigned/unassigned/tooth"
    assert folders == [base, f"{base}-2", f"{base}-3"], "no result overwrites another"


@pytest.mark.parametrize(("identity", "inode"), [(True, 7), (True, 8), (False, 7)])
def test_bytes_that_change_under_a_known_scan_are_an_alarm_once(
    session: Session, sight: Sight, a_file: AFile, identity: bool, inode: int
) -> None:
    first = sight(has_identity=identity)
    changed = a_file(fingerprint="other", inode=inode)
    second = sight(has_identity=identity, files=[changed])
    assert (second.dataset_id, second.created) == (first.dataset_id, False)
    assert "Raw bytes changed under a known scan (tooth.h5)" in second.note
    assert sight(has_identity=identity, files=[changed]).note == "known already"
    alarm = session.scalars(select(LifecycleEvent).where(LifecycleEvent.level == "alarm")).one()
    assert alarm.details == {
        "before": {"tooth.h5": "print of tooth"},
        "after": {"tooth.h5": "other"},
    }
    assert count(session, Run) == 1


def test_a_touched_file_is_the_same_scan(session: Session, sight: Sight, a_file: AFile) -> None:
    sight()
    assert sight(files=[a_file(mtime_ns=99)]).note == "known already"
    assert set(known_files(session, "imaging")) == {("/data/raw/tooth.h5", 1000, 99, 7)}


def test_a_moved_file_is_the_same_scan(session: Session, sight: Sight, a_file: AFile) -> None:
    first = sight()
    moved = sight(files=[a_file(path="archive/tooth.h5")])
    assert (moved.dataset_id, moved.note) == (first.dataset_id, "moved")
    present = select(DatasetFile.path).where(DatasetFile.gone_at.is_(None))
    assert session.scalars(present).all() == ["archive/tooth.h5"]


def test_a_file_of_many_scans_grows_without_an_alarm(
    session: Session, sight: Sight, a_file: AFile
) -> None:
    sight("entry1", files=[a_file("day", inner_path="/entry1", fingerprint="1")])
    sight("entry2", files=[a_file("day", inner_path="/entry2", fingerprint="2", size=2000)])
    grown = a_file("day", inner_path="/entry1", fingerprint="1 and 2", size=2000)
    assert sight("entry1", files=[grown]).note == "known already"
    assert count(session, Run) == 2


def test_known_files_leave_out_what_still_grows(
    session: Session, sight: Sight, a_file: AFile
) -> None:
    sight("done")
    sight("growing", stage="opened")
    sight("lacking", stage="incomplete")
    sight("broken", stage="broken", reason="no")
    paths = {path for path, *_ in known_files(session, "imaging")}
    assert paths == {"/data/raw/done.h5", "/data/raw/broken.h5"}


def test_headers_may_hold_anything(session: Session, sight: Sight) -> None:
    seen = sight(metadata={"energy": float("nan"), "title": "a\0b", "list": (1, 2), "样": b"\xff"})
    meta = session.get_one(Dataset, seen.dataset_id).meta
    assert meta == {"energy": None, "title": "ab", "list": [1, 2], "样": "�"}


def test_a_name_that_is_no_text_is_a_sentence(sight: Sight, a_file: AFile) -> None:
    with pytest.raises(CatalogError, match="rename the file"):
        sight(files=[a_file(path="caf\udce9.h5")])


def test_an_unknown_beamline_is_a_sentence(sight: Sight) -> None:
    with pytest.raises(NotFound, match="No beamline 'nowhere'; the catalogue has: imaging"):
        sight(beamline="nowhere")


def test_a_beamline_without_a_flow_only_catalogues(engine: Engine, sight: Sight) -> None:
    with Session(engine) as session, session.begin():
        recipes.publish_beamline(
            session,
            id="optics",
            name="Optics",
            technique="none",
            flow=None,
            folders=[Path("/data/optics")],
            output_template="/data/processed/{scan}",
            calibration_max_age=timedelta(hours=1),
        )
    seen = sight(beamline="optics")
    assert (seen.state, seen.run_id) == ("validated", None)


@pytest.mark.parametrize("word", ["样品", "ÉTÉ", "été", "2026-77", "Tooth", "ca10"])
def test_search_finds_any_language_in_any_case(session: Session, sight: Sight, word: str) -> None:
    seen = sight("tooth-1", proposal="2026-77", sample="样品一 Été")
    session.get_one(Sample, session.get_one(Dataset, seen.dataset_id).sample_id).formula = "Ca10"
    sight("other")
    session.flush()
    found = select(Dataset.id).where(Dataset.search_text.contains(word.lower()))
    assert session.scalars(found).all() == [seen.dataset_id]


def test_an_aborted_scan_is_set_aside(session, sight):
    recorded = sight(stage="aborted", reason="Its run was aborted (beam dump)")
    assert (recorded.state, recorded.run_id) == ("aborted", None)
    assert sight(stage="aborted").note == "known already"


def test_a_complete_scan_of_an_aborted_run_is_reduced_and_says_so(session, sight):
    report = {"report": {"stage": "aborted", "reason": "beam dump"}}
    recorded = sight(metadata=report)
    assert recorded.state == "validated" and recorded.run_id is not None
    sight(metadata=report)
    aborts = select(LifecycleEvent.reason).where(LifecycleEvent.event == "aborted")
    assert session.scalars(aborts).all() == ["its run was aborted: beam dump"]


def test_what_is_reported_later_is_added(session, sight):
    recorded = sight(rule="quick")
    learned = sight(
        proposal="p1",
        sample="molar",
        sample_fields={"density": 3.1},
        reported_uid="u1",
        metadata={"report": {"plan": "scan"}},
    )
    assert (learned.note, learned.dataset_id) == ("described", recorded.dataset_id)
    assert sight(proposal="p2", metadata={"report": {"plan": "scan"}}).note == "known already"
    dataset = session.get_one(Dataset, recorded.dataset_id)
    assert (dataset.rule, dataset.uid, dataset.meta) == (
        "quick",
        "u1",
        {"report": {"plan": "scan"}},
    )
    assert session.get_one(Sample, dataset.sample_id).density == 3.1


def test_a_rule_decides_flow_and_recipe(engine, sight):
    with Session(engine) as session, session.begin():
        recipes.publish_flow(session, "xas", "xas", "1", {"properties": {"edge": {"default": 1}}})
        recipes.publish_beamline(
            session,
            id="imaging",
            name="Imaging",
            technique="ct",
            flow="ct",
            folders=[Path("/data/raw")],
            output_template="/data/processed/{proposal}/{sample}/{scan}",
            recipe={"filter": "hann"},
            rules=[
                {"name": "fine", "technique": "ct", "flow": "ct", "recipe": {"padding": 4}},
                {"name": "edges", "technique": "xas", "flow": "xas", "recipe": {"edge": 2}},
                {"name": "photos", "technique": "photo", "flow": None, "recipe": {}},
            ],
        )
    for name, rule in (("a", "fine"), ("b", "edges"), ("c", "photos"), ("d", "")):
        sight(name, rule=rule)
    with Session(engine) as session:
        rows = session.execute(
            select(Dataset.name, Run.flow, Run.parameters)
            .outerjoin(Run, Run.dataset_id == Dataset.id)
            .order_by(Dataset.name)
        ).all()
    whole = {"rotation_axis": None, "filter": "hann", "padding": 2}
    assert [tuple(row) for row in rows] == [
        ("a", "ct", {**whole, "padding": 4}),
        ("b", "xas", {"edge": 2}),
        ("c", None, None),
        ("d", "ct", whole),
    ]
