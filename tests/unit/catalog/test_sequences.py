"""Whatever is seen, in whatever order and however often: one dataset, and one run at most."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog.arrivals import record
from catalog.models import Dataset, Dispatch, LifecycleEvent, Run, Transition

STAGES = st.sampled_from(["opened", "grown", "complete", "incomplete", "broken"])
CONTENTS = st.integers(min_value=0, max_value=2)
KINDS = st.sampled_from(["scan", "flats"])
SIGHTINGS = st.lists(st.tuples(KINDS, STAGES, CONTENTS, st.booleans()), min_size=1, max_size=8)
QUICK = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FLATS: dict[str, Any] = {"kind": "calibration", "calibration_kinds": ("flat",)}


@QUICK
@given(seen=SIGHTINGS)
def test_any_sequence_of_sightings_gives_one_dataset_and_one_run(
    engine: Engine,
    a_sighting: Any,
    a_file: Any,
    seen: list[tuple[str, str, int, bool]],
) -> None:
    with Session(engine) as session:
        for name, stage, content, twice in seen:
            about = FLATS if name == "flats" else {"needs": ("flat",)}
            files = [a_file(name, fingerprint=str(content), size=content)]
            for _ in range(1 + twice):
                changes = {**about, "stage": stage, "files": files, "reason": "because"}
                record(session, a_sighting(name, **changes))
        check(session, {name for name, *_ in seen})
        session.rollback()


def check(session: Session, names: set[str]) -> None:
    datasets = session.scalars(select(Dataset)).all()
    assert {dataset.name for dataset in datasets} == names
    assert len(datasets) == len(names)
    automatic = session.scalars(select(Run.dataset_id)).all()
    assert len(automatic) == len(session.scalars(select(Dispatch.id)).all())
    assert len(automatic) <= 1
    legal = set(
        session.execute(select(Transition.subject, Transition.from_state, Transition.to_state))
    )
    for dataset in datasets:
        assert (len(automatic) == 1) == has_run(datasets), "a run if and only if all is there"
        events = session.scalars(
            select(LifecycleEvent)
            .where(LifecycleEvent.dataset_id == dataset.id, LifecycleEvent.to_state.is_not(None))
            .order_by(LifecycleEvent.id)
        ).all()
        moves = [("dataset", event.from_state, event.to_state) for event in events]
        assert set(moves) <= legal
        path = ["registered", *(event.to_state for event in events)]
        assert [move[1] for move in moves] == path[:-1], "each move begins where the last ended"
        assert dataset.state == path[-1]


def has_run(datasets: Any) -> bool:
    return any(dataset.name == "scan" and dataset.state == "validated" for dataset in datasets)
