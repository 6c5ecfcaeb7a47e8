"""The questions themselves: filters, pages, details, lineage, counts."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from catalog import queries
from catalog.queries import DatasetFilter, Disk, RunFilter


@pytest.fixture
def session(engine: Engine):
    with Session(engine) as session:
        yield session


@pytest.fixture
def fresh_session(catalog_engine: Engine):
    with Session(catalog_engine) as session:
        yield session


def names(session, **filters) -> list[str]:
    return [item.name for item in queries.list_datasets(session, DatasetFilter(**filters)).items]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"kind": "raw"}, ["failed", "needy", "broken", "tooth"]),
        ({"kind": "derived"}, ["tooth v002", "tooth v001"]),
        ({"kind": "calibration"}, ["flats"]),
        ({"beamline": "nano"}, ["failed"]),
        ({"beamline": "nowhere"}, []),
        ({"proposal": "2026-0200"}, ["failed"]),
        ({"technique": "ct", "state": "quarantined"}, ["broken"]),
        ({"state": "waiting_for_calibration"}, ["needy"]),
        ({"sample": "牙齿 3", "kind": "raw"}, ["tooth"]),
        ({"verdict": "check"}, ["tooth v001"]),
    ],
)
def test_filters(session, lives, filters, expected) -> None:
    assert names(session, **filters) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("牙齿", ["tooth"]),
        ("齿", ["tooth"]),
        ("TOO", ["tooth"]),
        ("too 牙", ["tooth"]),
        ("too resin", []),
        ("0200", ["failed"]),
        ("100%", []),
        ("to_th", []),
    ],
)
def test_search_in_any_language(session, lives, text, expected) -> None:
    assert names(session, kind="raw", text=text) == expected


def test_time_is_a_half_open_interval(fresh_session, world) -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    for hour in range(3):
        world.land(f"hour {hour}", started_at=noon + timedelta(hours=hour))
    found = names(fresh_session, since=noon, until=noon + timedelta(hours=2))
    assert found == ["hour 1", "hour 0"]


def test_pages_hold_every_row_once_while_scans_land(fresh_session, world) -> None:
    for number in range(7):
        world.land(f"scan {number}")
    seen, cursor = [], None
    while True:
        page = queries.list_datasets(fresh_session, cursor=cursor, limit=3)
        seen += [item.name for item in page.items]
        world.land(f"late {len(seen)}")
        fresh_session.rollback()
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"scan {number}" for number in reversed(range(7))]


def test_a_page_that_is_just_full_is_the_last(fresh_session, world) -> None:
    for number in range(3):
        world.land(f"scan {number}")
    assert queries.list_datasets(fresh_session, limit=3).next_cursor is None


def test_the_number_of_queries_does_not_grow_with_the_page(
    catalog_engine, world, fresh_lives
) -> None:
    counts = []
    for _ in range(2):
        with Session(catalog_engine) as fresh_session:
            counts.append(count_statements(catalog_engine, fresh_session))
        for number in range(5):
            scan = world.land(f"more {len(counts)} {number}")
            world.finish(world.begin(scan.dataset_id, str(uuid4())))
    assert counts[0] == counts[1] <= 8


def count_statements(engine: Engine, session: Session) -> int:
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(engine, "before_cursor_execute", note)
    try:
        queries.list_datasets(session)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return len(statements)


def test_a_scan_shows_its_current_result_and_its_latest_run(session, lives) -> None:
    tooth = queries.list_datasets(session, DatasetFilter(text="牙", kind="raw")).items[0]
    assert tooth.result is not None
    assert tooth.result.dataset_id == lives.second
    assert tooth.result.version == 2
    assert [preview.name for preview in tooth.result.previews] == ["slice_z"]
    assert tooth.run is not None
    assert tooth.run.state == "completed"


def test_a_dataset_in_detail(session, lives) -> None:
    tooth = queries.dataset_detail(session, lives.tooth, flow_run_url=lambda key: f"ui/{key}")
    assert tooth is not None
    assert [file.path for file in tooth.files] == ["tooth.h5"]
    assert tooth.files[0].content_url is None
    assert {(link.name, link.role) for link in tooth.calibrations} == {
        ("flats", "flat"),
        ("flats", "dark"),
    }
    assert [(v.version, v.is_current) for v in tooth.versions] == [(2, True), (1, False)]
    assert [(run.version, run.verdict) for run in tooth.runs] == [(2, "ok"), (1, "check")]
    assert tooth.runs[0].flow_run_url == "ui/flow-run-2"
    assert tooth.recipe == {"rotation_axis": 295.3, "filter": "ramp"}
    assert {(figure.name, figure.value, figure.unit) for figure in tooth.quality} == {
        ("rotation_axis", 295.3125, "px"),
        ("confidence", 0.9, ""),
    }
    states = [event.to_state for event in tooth.events if event.run_id is None and event.to_state]
    assert states == ["acquired", "validated"]
    assert {event.run_id for event in tooth.events if event.event == "requested"} == {
        run.id for run in tooth.runs
    }


def test_an_earlier_version_keeps_its_own_verdict(session, lives) -> None:
    first = queries.dataset_detail(session, lives.first)
    assert first is not None
    assert (first.verdict, first.reasons) == ("check", ["The two methods differ by 3.2 px"])
    assert first.recipe["rotation_axis"] is None
    assert first.made_by is not None
    assert first.made_by.version == 1
    assert all(file.content_url for file in first.files)


def test_a_scan_says_what_it_waits_for(session, lives) -> None:
    needy = queries.dataset_detail(session, lives.needy)
    assert needy is not None
    assert needy.waits_for == ["flat"]
    assert needy.reason is not None


def test_a_run_in_detail(session, lives) -> None:
    newest = queries.list_runs(session, RunFilter(state="completed")).items[0]
    run = queries.run_detail(session, newest.id)
    assert run is not None
    assert (run.actor, run.reason, run.lane) == ("beamline staff", "axis is off", "reprocess")
    assert run.parent_run_id is not None
    assert run.result is not None
    assert run.result.dataset_id == lives.second
    assert [attempt.state for attempt in run.attempt_list] == ["completed"]
    step = run.steps[0]
    assert (step.algorithm, step.implementation, step.attempt) == ("ct.reconstruct", "finufft", 1)
    assert (run.stage, run.figures) == ("reconstruct", {"axis": 295.3})


def test_runs_by_beamline(session, lives) -> None:
    page = queries.list_runs(session, RunFilter(beamline="nano"))
    assert [(run.dataset_name, run.outcome) for run in page.items] == [
        ("failed", "The disk is full")
    ]


def test_runs_in_pages(session, lives) -> None:
    first = queries.list_runs(session, limit=2)
    rest = queries.list_runs(session, limit=2, cursor=first.next_cursor)
    assert len({run.id for run in first.items + rest.items}) == 3
    assert rest.next_cursor is None


def test_lineage_goes_both_ways(session, lives) -> None:
    lineage = queries.lineage(session, lives.tooth)
    assert lineage is not None
    datasets = {node.id: node.name for node in lineage.nodes if node.type == "dataset"}
    assert datasets == {
        lives.tooth: "tooth",
        lives.flats: "flats",
        lives.first: "tooth v001",
        lives.second: "tooth v002",
    }
    assert sorted(edge.role for edge in lineage.edges) == sorted(
        2 * ["raw", "flat", "dark", "result"]
    )


def test_lineage_of_a_result_is_what_led_to_it(session, lives) -> None:
    lineage = queries.lineage(session, lives.first)
    assert lineage is not None
    found = {node.id for node in lineage.nodes if node.type == "dataset"}
    assert found == {lives.first, lives.tooth, lives.flats}


def test_lineage_of_a_calibration_is_cut_at_the_newest(session, lives) -> None:
    whole = queries.lineage(session, lives.flats)
    part = queries.lineage(session, lives.flats, max_runs=1)
    assert whole is not None
    assert part is not None
    assert not whole.truncated
    assert part.truncated
    assert {node.name for node in part.nodes if node.type == "run"} == {"run v002"}


def test_what_is_not_there_is_none(session) -> None:
    assert queries.dataset_detail(session, uuid4()) is None
    assert queries.run_detail(session, uuid4()) is None
    assert queries.lineage(session, uuid4()) is None


def test_status_counts(session, lives) -> None:
    status = queries.status(session, disks=[Disk(storage="raw", free=1, total=2)])
    assert (status.quarantined, status.waiting_for_calibration, status.failed) == (1, 1, 1)
    assert status.runs == {"completed": 2, "failed": 1}
    assert status.oldest_waiting is not None
    assert status.oldest_waiting.dataset_id == lives.needy
    assert (status.outbox, status.outbox_oldest_seconds) == (0, None)
    assert status.disks[0].free == 1


def test_a_scan_that_nobody_has_sent_is_in_the_outbox(fresh_session, world) -> None:
    world.land("plain")
    status = queries.status(fresh_session)
    assert (status.waiting, status.outbox) == (1, 1)
    assert status.outbox_oldest_seconds is not None
    assert status.oldest_waiting is not None
    assert status.oldest_waiting.name == "plain"
