"""Many arrivals at once lead to the same rows as one after the other."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine, event, select, text
from sqlalchemy.orm import Session

from catalog.arrivals import Recorded, SightedFile, Sighting, record
from catalog.bulk import record_many
from catalog.errors import CatalogError
from catalog.models import Dataset, Dispatch, LifecycleEvent, Lineage, Run
from catalog.recipes import effective_parameters
from catalog.runs.opening import open_run

ASighting = Callable[..., Sighting]
CHANGING = {"id", "dataset_id", "run_id", "storage_id", "at", "created_at", "run_key", "key"}
CHANGING |= {"state_at", "entered_at", "next_try_at", "published_at", "taken_at", "sample_id"}
CHANGING |= {"proposal_id", "visit_id"}
TABLES = ("dataset", "dataset_file", "lifecycle_event", "run", "lineage", "dispatch", "sample")


def many(engine: Engine, sightings: Sequence[Sighting]) -> list[Any]:
    with Session(engine) as session, session.begin():
        return record_many(session, sightings)


def rows(engine: Engine) -> dict[str, list[str]]:
    """Return all rows without what differs each time."""
    with engine.connect() as connection:
        return {
            table: sorted(
                str({key: value for key, value in row.items() if key not in CHANGING})
                for row in connection.execute(text(f"SELECT * FROM {table}")).mappings()  # noqa: S608
            )
            for table in TABLES
        }


def mixture(a_sighting: ASighting, a_file: Callable[..., SightedFile]) -> list[Sighting]:
    """Scans of every kind, some of them twice."""
    return [
        *(a_sighting(f"scan {n}", proposal="p1", visit="1", sample=f"s{n % 2}") for n in range(5)),
        a_sighting("opened", stage="opened"),
        a_sighting("broken", stage="broken", reason="It is empty."),
        a_sighting("late", stage="incomplete", reason="Half of it is there."),
        a_sighting("needy", needs=["flat"]),
        a_sighting("flats", kind="calibration", calibration_kinds=["flat"]),
        a_sighting("unread", stage="broken", started_at=None, has_identity=False, reason="Empty."),
        a_sighting("named", files=[a_file("unread", fingerprint="another")]),
        a_sighting("scan 1"),
        a_sighting("opened"),
        a_sighting("linked", files=[a_file("linked"), a_file("frames", role="link_target")]),
    ]


def test_many_lead_to_the_same_rows_as_one_after_the_other(
    engine: Engine,
    owner_engine: Engine,
    a_sighting: ASighting,
    a_file: Callable[..., SightedFile],
) -> None:
    sightings = mixture(a_sighting, a_file)
    together = many(engine, sightings)
    bulk = rows(engine)
    with owner_engine.begin() as connection:
        for table in ("lifecycle_event", "step", "lineage", "verdict"):
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER append_only"))
        connection.execute(text(f"TRUNCATE {', '.join(TABLES)}, calibration CASCADE"))
    single: list[Recorded] = []
    for sighting in sightings:
        with Session(engine) as session, session.begin():
            single.append(record(session, sighting))
    for table, expected in rows(engine).items():
        assert bulk[table] == expected, table
    outcome = [(each.state, each.created, each.note) for each in single]
    assert [(each.state, each.created, each.note) for each in together] == outcome


def test_a_second_time_changes_nothing(engine: Engine, a_sighting: ASighting) -> None:
    sightings = [a_sighting(f"scan {n}") for n in range(3)]
    first = many(engine, sightings)
    before = rows(engine)
    again = many(engine, sightings)
    assert rows(engine) == before
    assert [each.run_id for each in again] == [each.run_id for each in first]


def test_one_that_cannot_be_entered_harms_no_other(engine: Engine, a_sighting: ASighting) -> None:
    sightings = [
        a_sighting("good"),
        a_sighting("odd", uid="a\x00b"),
        a_sighting("later"),
    ]
    good, odd, later = many(engine, sightings)
    assert isinstance(odd, CatalogError)
    assert "what odd tells of itself" in str(odd)
    assert isinstance(good, Recorded) and isinstance(later, Recorded)
    assert (good.state, later.state) == ("validated", "validated")


def test_scans_of_one_name_get_folders_of_their_own(
    engine: Engine, a_sighting: ASighting, session: Session
) -> None:
    many(engine, [a_sighting("tooth", entry_key=f"uid:{n}") for n in range(3)])
    folders = session.scalars(select(Dataset.output_folder).order_by(Dataset.output_folder)).all()
    base = "/data/processed/unassigned/unassigned/tooth"
    assert folders == [base, f"{base}-2", f"{base}-3"]
    for table in (Run, Dispatch, Lineage):
        assert len(session.scalars(select(table)).all()) == 3


def test_a_run_key_is_what_a_single_arrival_would_get(
    engine: Engine, a_sighting: ASighting, session: Session
) -> None:
    [seen] = many(engine, [a_sighting()])
    assert isinstance(seen, Recorded)
    run = session.get_one(Run, seen.run_id)
    dataset = session.get_one(Dataset, seen.dataset_id)
    values: dict[str, Any] = {"actor": "trigger", "reason": "again", "lane": "live"}
    parameters = effective_parameters(session, "imaging", {})
    assert open_run(session, dataset, parameters=parameters, **values).id == run.id


def test_many_take_few_statements(engine: Engine, a_sighting: ASighting) -> None:
    count = 400
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    many(engine, [a_sighting(f"scan {n}", proposal="p", sample="s") for n in range(count)])
    assert len(statements) < 40
    with Session(engine) as session:
        events = session.scalars(select(LifecycleEvent.event)).all()
    assert len(events) == 4 * count
