"""Scans that belong together: who they are, and when their results are reduced together."""

import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.orm import Session

from catalog import pauses, people, quarantine, queries, recipes, recovery, runs
from catalog.access import Viewer
from catalog.access.visibility import Visibility, change
from catalog.affected import affected
from catalog.arrivals import record
from catalog.bulk import record_many
from catalog.custody import Place, archive, custody, purgeable, to_archive, verify
from catalog.errors import CatalogError
from catalog.models import Beamline, Dataset, Dispatch, Lineage, Run, Series
from catalog.provenance import build_crate, facts_of, prov_json
from catalog.queries import DatasetFilter
from catalog.reprocess import Wish, estimate
from catalog.runs import Claim, OutputFile
from catalog.runs.members import without_result
from catalog.runs.series_runs import due, open_due, pause
from catalog.sightings import SeriesMark, Sighting
from catalog.states import Role
from tests.unit.catalog.conftest import START, file, publish, sighting

DAY = SeriesMark("file", "/data/raw/day.h5")
SERIES_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"components": {"type": "integer", "minimum": 1, "default": 2}},
}
ClaimOf = Callable[..., Claim]
Finish = Callable[..., UUID]
Scan = Callable[..., UUID]


@pytest.fixture
def engine(catalog_engine: Engine) -> Engine:
    with Session(catalog_engine) as session, session.begin():
        recipes.publish_flow(session, "ct-series", "ct", "1", SERIES_SCHEMA)
        publish(session, series_flow="ct-series", series_recipe={"components": 3})
    return catalog_engine


def scan(number: int, **changes: Any) -> Sighting:
    values = {
        "files": [file("day", inner_path=f"entry{number}", fingerprint=f"print {number}")],
        "started_at": START + timedelta(minutes=number),
        "series": DAY,
        "proposal": "2026-0117",
    }
    return sighting(f"day-entry{number}", **{**values, **changes})


@pytest.fixture
def land(engine: Engine) -> Scan:
    """Record a scan of the day's file."""

    def see(number: int, **changes: Any) -> UUID:
        with Session(engine) as session, session.begin():
            return record(session, scan(number, **changes)).dataset_id

    return see


@pytest.fixture
def reduce(engine: Engine, claim_of: ClaimOf, finish: Finish) -> Scan:
    """Run the newest run of a dataset that waits to its end; return the result."""

    def complete(dataset_id: UUID, **changes: Any) -> UUID:
        return finish(claim(engine, claim_of, dataset_id), **changes)

    return complete


@pytest.fixture
def reduced(land: Scan, reduce: Scan) -> Scan:
    """Record a scan, and reduce it."""

    def both(number: int, **changes: Any) -> UUID:
        return reduce(land(number, **changes))

    return both


def claim(engine: Engine, claim_of: ClaimOf, dataset_id: UUID) -> Claim:
    with Session(engine) as session:
        dispatch, run = session.execute(
            select(Dispatch.id, Run)
            .join(Run, Run.id == Dispatch.run_id)
            .where(Run.dataset_id == dataset_id, Run.state == "waiting")
            .order_by(Dispatch.id.desc())
        ).first()  # type: ignore[misc]
        values = {"dispatch_id": dispatch, "flow": run.flow, "flow_run_id": f"of {dispatch}"}
    return claim_of(dataset_id, **values)


def the_series(session: Session) -> Dataset:
    return session.scalars(select(Dataset).join(Series, Series.dataset_id == Dataset.id)).one()


def runs_of(session: Session, series_id: UUID) -> list[Run]:
    wanted = select(Run).where(Run.dataset_id == series_id).order_by(Run.version)
    return list(session.scalars(wanted))


def look(engine: Engine) -> list[UUID]:
    """Do what the caretaker does; return the runs that it opened."""
    with Session(engine) as session:
        waiting = due(session)
    opened: list[UUID] = []
    for each in waiting:
        with Session(engine) as session, session.begin():
            run = open_due(session, each)
            opened += [run.id] if run is not None else []
    return opened


def pass_time(engine: Engine, owner_engine: Engine, seconds: float) -> None:
    """Let the last runs lie so much further back."""
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE run SET started_at = started_at - :s * interval '1 second',"
                " finished_at = finished_at - :s * interval '1 second'"
            ),
            {"s": seconds},
        )


# -- who belongs together -------------------------------------------------------------------


def test_a_series_begins_with_the_second_of_its_scans(session: Session, land: Scan) -> None:
    first = land(1)
    assert session.scalar(select(func.count()).select_from(Series)) == 0
    session.commit()
    others = [land(number) for number in (2, 3)]
    series = the_series(session)
    assert (series.kind, series.state, series.name) == ("raw", "validated", "day series")
    assert (series.technique, series.taken_at) == ("ct", START + timedelta(minutes=1))
    assert series.meta == {"series": {"by": "file", "of": "/data/raw/day.h5"}}
    parents = select(Dataset.parent_id).where(Dataset.id.in_([first, *others]))
    assert set(session.scalars(parents)) == {series.id}
    assert runs_of(session, series.id) == [], "nothing of it has a result yet"


def test_scans_of_other_files_proposals_techniques_and_calibrations_are_others(
    session: Session, land: Scan
) -> None:
    land(1)
    land(2, proposal="2026-0118")
    land(3, proposal=None)
    land(4, technique="xas")
    land(5, series=SeriesMark("file", "/data/raw/other.h5"))
    land(6, series=SeriesMark("folder", "/data/raw/day.h5"))
    land(7, kind="calibration", calibration_kinds=["flat"])
    land(8, series=None)
    assert session.scalars(select(Dataset).where(Dataset.parent_id.is_not(None))).all() == []


def test_many_at_once_form_the_same_series(engine: Engine, session: Session, land: Scan) -> None:
    land(0)
    sightings = [scan(number) for number in range(1, 40)]
    others = SeriesMark("sample", "Fe foil")
    sightings += [scan(number, series=others, sample="Fe foil") for number in range(40, 60)]
    with session.begin():
        record_many(session, sightings)
    made = {
        each.name: each
        for each in session.scalars(select(Dataset).where(Dataset.entry_key.startswith("series:")))
    }
    assert set(made) == {"day series", "Fe foil series"}
    assert made["Fe foil series"].sample_id is not None
    for name, count in (("day series", 40), ("Fe foil series", 20)):
        of = select(func.count()).where(Dataset.parent_id == made[name].id)
        assert session.scalar(of) == count
    land(60)
    session.rollback()
    assert len(list(session.scalars(select(Series)))) == 2
    page = queries.list_datasets(session, DatasetFilter(parent=made["day series"].id), limit=100)
    assert len(page.items) == 41
    detail = queries.dataset_detail(session, made["day series"].id)
    assert detail is not None
    assert (detail.members, detail.parent) == (41, None)
    member = queries.dataset_detail(session, page.items[0].id)
    assert member is not None
    assert (member.members, member.parent) == (0, made["day series"].id)


def test_without_a_flow_for_it_there_is_no_series_until_there_is(
    engine: Engine, session: Session, land: Scan
) -> None:
    with session.begin():
        session.execute(update(Beamline).values(series_flow=None))
    land(1), land(2)
    assert session.scalars(select(Series)).all() == []
    with Session(engine) as other, other.begin():
        publish(other, series_flow="ct-series")
    land(3)
    session.rollback()
    parents = select(func.count()).where(Dataset.parent_id == the_series(session).id)
    assert session.scalar(parents) == 3


def test_a_scan_that_a_person_assigns_goes_to_the_series_of_its_proposal(
    engine: Engine, session: Session, reduced: Scan
) -> None:
    for number in (1, 2, 3):
        reduced(number)
    look(engine)
    first = the_series(session).id
    scans = session.scalars(select(Dataset.id).where(Dataset.parent_id == first)).all()
    with Session(engine) as other, other.begin():
        for each in scans[:2]:
            people.assign(other, each, actor="staff", reason="typo", proposal="2026-0999")
        with pytest.raises(CatalogError, match="assign its scans"):
            people.assign(other, first, actor="staff", reason="typo", proposal="2026-0999")
    session.rollback()
    moved = {session.get_one(Dataset, each).parent_id for each in scans[:2]}
    (second,) = moved
    assert second not in (None, first)
    assert session.get_one(Series, second).news > 0
    assert session.get_one(Series, first).news > 0, "its next run leaves them out"
    series = session.get_one(Dataset, second)
    assert series.proposal_id == session.get_one(Dataset, scans[0]).proposal_id


def test_the_sample_that_a_person_assigns_decides_whatever_the_data_say(
    engine: Engine, session: Session, land: Scan
) -> None:
    of = {"series": SeriesMark("sample", "foil"), "sample": "foil"}
    scans = [land(number, **of) for number in (1, 2, 3, 4)]
    foils = session.get_one(Dataset, scans[0]).parent_id
    with Session(engine) as other, other.begin():
        for each in scans[:2]:
            people.assign(other, each, actor="staff", reason="mixed up", sample="oxide")
    for _ in range(2):
        session.rollback()
        parents = [session.get_one(Dataset, each).parent_id for each in scans]
        assert parents[0] == parents[1] != foils
        assert parents[2:] == [foils, foils]
        assert session.get_one(Dataset, parents[0]).name == "oxide series"
        land(1, **of, uid="a", metadata={"operator": "night shift"})  # seen once more


# -- when they are reduced ------------------------------------------------------------------


def test_two_results_are_reduced_together_once(
    engine: Engine, session: Session, land: Scan, reduced: Scan, claim_of: ClaimOf, finish: Finish
) -> None:
    land(3)
    second = reduced(2)
    assert look(engine) == [], "one result is no series"
    assert look(engine) == []
    first = reduced(1)
    (opened,) = look(engine)
    assert look(engine) == [], "a run of it waits"
    run = session.get_one(Run, opened)
    assert (run.flow, run.parameters, run.lane) == ("ct-series", {"components": 3}, "live")
    assert (run.version, run.actor) == (1, "caretaker")
    edges = select(Lineage.dataset_id, Lineage.role).where(Lineage.run_id == opened)
    assert set(session.execute(edges).all()) == {(first, "member"), (second, "member")}
    taken = claim(engine, claim_of, run.dataset_id)
    assert [(each.name, each.role, each.output) for each in taken.inputs] == [
        ("day-entry1", "member", "volume"),
        ("day-entry2", "member", "volume"),
    ], "in the order in which the scans were taken"
    assert taken.inputs[0].path.name == "volume.h5"
    assert taken.inputs[0].dataset_id == first
    assert str(taken.output_folder) == "/data/processed/2026-0117/unassigned/day_series/v001"
    result = finish(taken)
    assert look(engine) == [], "nothing is new"
    lineage = queries.lineage(session, result)
    assert lineage is not None
    assert {each.role for each in lineage.edges} == {"member", "raw", "result"}
    detail = queries.dataset_detail(session, run.dataset_id)
    assert detail is not None
    assert detail.result is not None
    assert detail.result.dataset_id == result


def test_scans_that_come_quickly_cost_few_runs_and_the_last_one_is_in(
    engine: Engine, owner_engine: Engine, session: Session, reduced: Scan, reduce: Scan
) -> None:
    reduced(1), reduced(2)
    assert len(look(engine)) == 1
    series = the_series(session).id
    for number in range(3, 8):
        reduced(number)
        assert look(engine) == [], "its run has not ended"
    reduce(series)
    reduced(8)
    assert look(engine) == [], "it ended just now"
    pass_time(engine, owner_engine, 5)
    (last,) = look(engine)
    taken = select(func.count()).select_from(Lineage).where(Lineage.run_id == last)
    assert session.scalar(taken) == 8
    reduce(series)
    pass_time(engine, owner_engine, 3600)
    assert look(engine) == []
    session.rollback()
    assert [run.version for run in runs_of(session, series)] == [1, 2]
    assert session.get_one(Series, series).taken == 8


@pytest.mark.parametrize(
    ("taken", "news", "took", "failures", "seconds"),
    [
        (2, 1, 0.1, 0, 5),  # the shortest
        (2, 1, 30, 0, 60),  # as long as it works, it rests twice
        (1000, 49, 0.1, 0, 60),  # little is new: a row of lineage costs 0.06 s
        (1000, 50, 0.1, 0, 5),
        (100_000, 1, 60, 0, 600),
        (100_000, 5000, 60, 0, 120),
        (100_000, 1, 900, 0, 1800),
        (2, 1, 0.1, 3, 40),  # what fails again and again is tried less often
        (2, 1, 0.1, 8, 600),
    ],
)
def test_the_pace(taken: int, news: int, took: float, failures: int, seconds: float) -> None:
    found = pause(taken, news, timedelta(seconds=took), failures)
    assert found == timedelta(seconds=seconds)


def test_rows_of_lineage_grow_with_scans_and_time_and_not_with_their_square() -> None:
    """Play a series of 20,000 scans, one each 0.5 s, whose runs take 1 ms for each."""
    time, taken, runs_, rows = 0.0, 0, 0, 0
    while taken < 20_000:
        landed = min(20_000, int(time / 0.5))
        if landed > max(taken, 1):
            rows, runs_, took = rows + landed, runs_ + 1, landed * 0.001
            time, taken = time + took, landed
            ended = time
            while True:
                time += 1.0
                news = min(20_000, int(time / 0.5)) - taken
                if time - ended >= pause(taken, news, timedelta(seconds=took)).total_seconds():
                    break
        else:
            time += 1.0
    assert rows < 22 * 20_000 + 17 * time
    assert runs_ < 200


def test_a_series_run_that_fails_is_not_tried_again_until_there_is_more(
    engine: Engine,
    owner_engine: Engine,
    session: Session,
    land: Scan,
    reduced: Scan,
    reduce: Scan,
    claim_of: ClaimOf,
) -> None:
    reduced(1), reduced(2)
    for attempt in (1, 2):
        (opened,) = look(engine)
        series = the_series(session)
        failed = claim(engine, claim_of, series.id)
        assert runs.fail(engine, failed, "two components are not enough", quarantine=True)
        pass_time(engine, owner_engine, 3600)
        assert look(engine) == [], "the same inputs again"
        session.rollback()
        assert session.get_one(Dataset, series.id).state == "validated", "more scans will come"
        assert session.get_one(Run, opened).state == "failed"
        reduced(2 + attempt)
    (opened,) = look(engine)
    reduce(the_series(session).id)
    assert [run.state for run in runs_of(session, the_series(session).id)] == [
        "failed",
        "failed",
        "completed",
    ]
    land(9, stage="broken", reason="truncated")
    assert look(engine) == []


def test_what_a_person_tries_again_is_the_same_run(
    engine: Engine, session: Session, reduced: Scan, reduce: Scan, claim_of: ClaimOf
) -> None:
    reduced(1), reduced(2)
    (opened,) = look(engine)
    series = the_series(session).id
    runs.fail(engine, claim(engine, claim_of, series), "the disk was away")
    with Session(engine) as other, other.begin():
        recovery.retry(other, opened, "staff", "mended")
    reduce(series)
    assert [run.state for run in runs_of(session, series)] == ["completed"]


def test_a_rerun_of_a_scan_makes_its_series_due(
    engine: Engine, owner_engine: Engine, session: Session, reduced: Scan, reduce: Scan
) -> None:
    first = reduced(1)
    reduced(2)
    look(engine)
    series = the_series(session).id
    reduce(series)
    source = session.get_one(Dataset, first).source_id
    assert source is not None
    with Session(engine) as other, other.begin():
        runs.request_run(other, source, {"padding": 1}, "li.wei", "better")
    outputs = [OutputFile("volume.h5", "volume", 10, "cd34", "application/x-hdf5")]
    newer = reduce(source, outputs=outputs)
    pass_time(engine, owner_engine, 3600)
    (opened,) = look(engine)
    edges = select(Lineage.dataset_id).where(Lineage.run_id == opened)
    taken = set(session.scalars(edges))
    assert newer in taken
    assert first not in taken


def test_what_is_set_aside_is_left_out_and_comes_back(
    engine: Engine, owner_engine: Engine, session: Session, reduced: Scan, reduce: Scan
) -> None:
    results = [reduced(number) for number in (1, 2, 3)]
    look(engine)
    series = the_series(session).id
    reduce(series)
    source = session.get_one(Dataset, results[1]).source_id
    assert source is not None
    for aside in (results[0], source):
        with Session(engine) as other, other.begin():
            quarantine.put(other, aside, actor="staff", reason="beam was lost")
    pass_time(engine, owner_engine, 3600)
    assert look(engine) == [], "one result is no series"
    with Session(engine) as other, other.begin():
        quarantine.accept(other, results[0], actor="staff", reason="it was not")
    (opened,) = look(engine)
    edges = select(Lineage.dataset_id).where(Lineage.run_id == opened)
    assert set(session.scalars(edges)) == {results[0], results[2]}


def test_a_run_of_a_series_knows_verdicts_and_the_scans_that_get_no_result(
    engine: Engine, session: Session, land: Scan, reduced: Scan, reduce: Scan, claim_of: ClaimOf
) -> None:
    reduced(1)
    reduce(land(2), verdict="check")
    failed = claim(engine, claim_of, land(3))
    runs.fail(engine, failed, "the disk was away")
    land(4, stage="broken", reason="truncated")
    land(5)
    aside = reduced(6)
    with Session(engine) as other, other.begin():
        quarantine.put(other, aside, actor="staff", reason="beam was lost")
    look(engine)
    series = the_series(session).id
    taken = claim(engine, claim_of, series)
    assert [each.verdict for each in taken.inputs] == ["ok", "check"]
    assert without_result(session, series) == ["day-entry3", "day-entry4"]
    with Session(engine) as other, other.begin():
        recovery.retry(other, failed.run_id, "staff", "mended")
    session.rollback()
    assert without_result(session, series) == ["day-entry4"], "the other is tried again"


def test_a_person_chooses_the_recipe_of_a_series_and_later_scans_keep_it(
    engine: Engine, owner_engine: Engine, session: Session, land: Scan, reduced: Scan, reduce: Scan
) -> None:
    land(1), land(2)
    series = the_series(session).id
    with Session(engine) as other, pytest.raises(CatalogError, match="None of the scans of day"):
        runs.request_run(other, series, {}, "li.wei", "now")
    for each in session.scalars(select(Dataset.id).where(Dataset.parent_id == series)).all():
        reduce(each)
    with Session(engine) as other, other.begin():
        run = runs.request_run(other, series, {"components": 4}, "li.wei", "a third phase")
        assert (run.version, run.parameters) == (1, {"components": 4})
        chosen = run.id
    assert look(engine) == [], "it took all that there is"
    reduce(series)
    reduced(3)
    pass_time(engine, owner_engine, 3600)
    (opened,) = look(engine)
    follows = session.get_one(Run, opened)
    assert follows.parameters == {"components": 4}
    assert follows.parent_id == chosen


def test_while_its_beamline_is_paused_a_series_waits(
    engine: Engine, session: Session, reduced: Scan
) -> None:
    reduced(1), reduced(2)
    with session.begin():
        pauses.pause(session, "imaging", "staff", "a new monochromator")
    assert look(engine) == []
    with session.begin():
        pauses.resume(session, "imaging")
    assert len(look(engine)) == 1


def test_a_series_that_is_set_aside_waits_until_a_person_accepts_it(
    engine: Engine, session: Session, reduced: Scan
) -> None:
    reduced(1), reduced(2)
    series = the_series(session).id
    session.rollback()
    with session.begin():
        quarantine.put(session, series, actor="staff", reason="two samples in one file")
    assert look(engine) == []
    with session.begin():
        quarantine.accept(session, series, actor="staff", reason="they are the same")
    assert len(look(engine)) == 1


def test_two_that_look_at_once_open_one_run(
    engine: Engine, session: Session, reduced: Scan
) -> None:
    reduced(1), reduced(2)
    series = the_series(session).id
    session.rollback()
    opened: list[UUID | None] = []

    def open_one() -> None:
        with Session(engine) as other, other.begin():
            run = open_due(other, series)
            opened.append(run.id if run else None)

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(opened) == 4
    assert len(set(opened)) == 1
    assert len(runs_of(session, series)) == 1


def test_a_result_that_is_entered_while_others_are_taken_is_news(
    engine: Engine, session: Session, land: Scan, reduced: Scan, claim_of: ClaimOf, finish: Finish
) -> None:
    reduced(1), reduced(2)
    series = the_series(session).id
    third = claim(engine, claim_of, land(3))
    ended = threading.Event()

    def complete() -> None:
        finish(third)
        ended.set()

    with Session(engine) as taking, taking.begin():
        run = open_due(taking, series)
        assert run is not None
        thread = threading.Thread(target=complete)
        thread.start()
        assert not ended.wait(0.3), "the row of the series keeps it"
    thread.join(10)
    session.rollback()
    assert session.get_one(Series, series).news == 1
    assert session.get_one(Series, series).due_since is not None


# -- beside all else ------------------------------------------------------------------------


def test_nobody_sees_a_series_who_may_not_see_its_scans(
    engine: Engine, session: Session, owner_engine: Engine, reduced: Scan
) -> None:
    reduced(1), reduced(2)
    series = the_series(session)
    first = session.scalars(select(Dataset).where(Dataset.parent_id == series.id)).first()
    assert first is not None
    until = START + timedelta(days=900)
    everybody = Viewer("staff", Role.STAFF, sees_all=True)
    ids = series.id, first.id
    session.rollback()
    with session.begin():
        change(session, everybody, ids[0], Visibility.PUBLIC, reason="a mistake")
        change(session, everybody, ids[1], Visibility.EMBARGOED, reason="theirs", until=until)
    look(engine)
    assert session.get_one(Dataset, ids[0]).visibility == "embargoed"
    assert session.get_one(Dataset, ids[0]).embargo_until is None, "the other one has no end"


def test_reprocessing_a_beamline_leaves_series_to_the_results_of_their_scans(
    session: Session, reduced: Scan
) -> None:
    reduced(1), reduced(2)
    assert estimate(session, Wish(beamline="imaging", reason="better")).datasets == 2


def test_custody_of_what_has_no_files(
    engine: Engine, session: Session, reduced: Scan, reduce: Scan, tmp_path: Path
) -> None:
    results = [reduced(1), reduced(2)]
    look(engine)
    series = the_series(session).id
    assert series not in to_archive(session, "imaging", "file:///copies")
    assert set(results) <= set(to_archive(session, "imaging", "file:///copies"))
    (told,) = purgeable(session, datasets=[series], raw=True)
    assert not told.allowed
    assert told.files == 0
    (used,) = purgeable(session, datasets=[results[0]])
    assert not used.allowed
    session.rollback()
    found = verify(engine, series, Place, actor="staff")
    assert (found.files, found.findings) == (0, [])
    with pytest.raises(CatalogError, match="is a series"):
        archive(engine, series, Place(str(tmp_path)), actor="staff")
    assert affected(session, series).touched == []
    made = reduce(series)
    assert custody(session, made).copies == []
    facts = facts_of(session, made)
    assert facts is not None
    assert {each.dataset.id for each in facts.inputs} == set(results)
    crate = build_crate(facts, "http://here")
    assert crate.root_dataset is not None
    assert "wasDerivedFrom" in prov_json(facts, "http://here")


def test_lineage_of_a_large_series_shows_some_of_its_scans_and_all_that_leads_to_one(
    session: Session, engine: Engine, reduced: Scan, reduce: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["catalog.queries.lineage"], "MOST_INPUTS", 2)
    results = [reduced(number) for number in range(1, 7)]
    look(engine)
    made = reduce(the_series(session).id)
    of_series = queries.lineage(session, made, max_runs=1)
    assert of_series is not None
    assert of_series.truncated
    shown = {node.id for node in of_series.nodes}
    assert made in shown
    assert len(shown & set(results)) == 2
    for result in results:
        of_one = queries.lineage(session, result)
        assert of_one is not None
        steps = {(edge.source, edge.target) for edge in of_one.edges}
        (run,) = {target for source, target in steps if source == result}
        assert (run, made) in steps
