import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from catalog import outbox, runs
from catalog.arrivals import Recorded
from catalog.errors import CatalogError, Fenced, InvalidParameters, NotFound
from catalog.models import (
    Attempt,
    Dataset,
    DatasetFile,
    Dispatch,
    LifecycleEvent,
    Lineage,
    Run,
    Step,
    VerdictRecord,
)
from catalog.runs import Claim, StepRecord

Sight = Callable[..., Recorded]
ClaimOf = Callable[..., Claim]
Finish = Callable[..., UUID]


def states(session: Session) -> list[str]:
    return list(session.scalars(select(Attempt.state).order_by(Attempt.number)))


def ask(engine: Engine, dataset_id: UUID, **overrides: Any) -> Run:
    with Session(engine, expire_on_commit=False) as session, session.begin():
        return runs.request_run(session, dataset_id, overrides, "a user", "to see")


# -- from claim to result -------------------------------------------------------------------


def test_a_claim_brings_all_that_the_flow_needs(sight: Sight, claim_of: ClaimOf) -> None:
    seen = sight(proposal="2026/1", sample="样品 #1", format="dxchange", inner_path="/")
    claim = claim_of(seen.dataset_id)
    assert (claim.version, claim.attempt_number, claim.already_completed) == (1, 1, False)
    assert claim.output_folder == Path("/data/processed/2026_1/样品_1/tooth/v001")
    assert claim.partial_folder.name == ".v001.attempt-1.partial"
    assert claim.partial_folder.parent == claim.output_folder.parent
    assert claim.parameters == {"filter": "hann", "padding": 2, "rotation_axis": None}
    file = claim.inputs[0]
    assert (file.path, file.role, file.format) == (Path("/data/raw/tooth.h5"), "data", "dxchange")
    assert pickle.loads(pickle.dumps(claim)) == claim  # noqa: S301 - our own


def test_a_result_is_entered_with_its_lineage(
    session: Session, engine: Engine, sight: Sight, claim_of: ClaimOf, finish: Finish
) -> None:
    raw = sight(sample="leaf").dataset_id
    claim = claim_of(raw)
    runs.set_stage(engine, claim, "axis", {"axis": 295.3})
    runs.set_stage(engine, claim, "reconstruct", {"slabs": 4})
    step = StepRecord("axis", "ct.axis", "1", "reference", seconds=1.5, rejected=["cupy: no GPU"])
    runs.record_steps(engine, claim, [step, step])
    derived = session.get_one(Dataset, finish(claim, verdict="check", reasons=["axes disagree"]))
    assert (derived.kind, derived.state, derived.source_id) == ("derived", "validated", raw)
    assert (derived.version, derived.is_current, derived.verdict) == (1, True, "check")
    assert derived.sample_id == session.get_one(Dataset, raw).sample_id
    file = session.scalars(select(DatasetFile).where(DatasetFile.dataset_id == derived.id)).one()
    assert file.path == "unassigned/leaf/tooth/v001/volume.h5"
    assert (file.digest, file.digest_algorithm) == ("ab12", "sha256")
    edges = select(Lineage.direction, Lineage.role, Lineage.dataset_id)
    assert set(session.execute(edges)) == {
        ("input", "raw", raw),
        ("output", "result", derived.id),
    }
    assert session.scalars(select(VerdictRecord.reasons)).one() == ["axes disagree"]
    run = session.get_one(Run, claim.run_id)
    assert (run.state, run.stage) == ("completed", "reconstruct")
    assert run.figures == {"axis": 295.3, "slabs": 4}
    assert session.scalars(select(Step.rejected)).all() == [["cupy: no GPU"]] * 2
    assert states(session) == ["completed"]


def test_a_retry_of_a_completed_run_does_nothing(
    session: Session, sight: Sight, claim_of: ClaimOf, finish: Finish
) -> None:
    seen = sight()
    derived = finish(claim_of(seen.dataset_id))
    again = claim_of(seen.dataset_id)
    assert (again.already_completed, again.derived_id) == (True, derived)
    assert states(session) == ["completed"]


def test_a_completion_that_is_repeated_gives_the_same_result(
    sight: Sight, claim_of: ClaimOf, finish: Finish
) -> None:
    claim = claim_of(sight().dataset_id)
    calls: list[int] = []
    first = finish(claim, publish=lambda: calls.append(1))
    assert finish(claim, publish=lambda: calls.append(1)) == first
    assert calls == [1], "published once"


def test_a_publish_that_fails_enters_nothing(
    session: Session, sight: Sight, claim_of: ClaimOf, finish: Finish
) -> None:
    claim = claim_of(sight().dataset_id)

    def disk_is_full() -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        finish(claim, publish=disk_is_full)
    assert session.scalar(select(func.count()).where(Dataset.kind == "derived")) == 0
    assert session.get_one(Run, claim.run_id).state == "running"
    assert finish(claim), "and the same attempt may try again"


def test_a_folder_that_a_crash_left_is_replaced_by_the_next_attempt(
    sight: Sight, claim_of: ClaimOf, finish: Finish, tmp_path: Path, engine: Engine
) -> None:
    """kill -9 between the renaming and the commit: the folder stands, and no row knows it."""
    final = tmp_path / "v001"

    def publish_then_die() -> None:
        final.mkdir()
        raise KeyboardInterrupt

    seen = sight()
    with pytest.raises(KeyboardInterrupt):
        finish(claim_of(seen.dataset_id), publish=publish_then_die)
    second = claim_of(seen.dataset_id)
    assert not second.already_completed
    assert finish(second, publish=final.rmdir)
    assert claim_of(seen.dataset_id).already_completed


# -- the fence ------------------------------------------------------------------------------


def test_the_newest_attempt_fences_the_others(
    session: Session, engine: Engine, sight: Sight, claim_of: ClaimOf, finish: Finish
) -> None:
    seen = sight()
    old, new = claim_of(seen.dataset_id), claim_of(seen.dataset_id)
    assert (new.run_id, new.attempt_number) == (old.run_id, 2)
    assert new.token > old.token
    published: list[str] = []
    for act in (
        lambda: runs.heartbeat(engine, old),
        lambda: runs.set_stage(engine, old, "axis", {}),
        lambda: runs.record_steps(engine, old, [StepRecord("a", "b", "1", "c")]),
        lambda: finish(old, publish=lambda: published.append("old")),
    ):
        with pytest.raises(Fenced, match="lost, overtaken by attempt 2"):
            act()
    assert runs.fail(engine, old, "no matter") is False
    assert runs.cancel(engine, old, "no matter") is False
    assert published == []
    runs.heartbeat(engine, new)
    finish(new)
    assert states(session) == ["lost", "completed"]


def test_claims_that_race_leave_one_holder(
    session: Session, engine: Engine, sight: Sight, claim_of: ClaimOf, finish: Finish
) -> None:
    seen = sight()
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: claim_of(seen.dataset_id), range(8)))
    assert sorted(claim.attempt_number for claim in claims) == list(range(1, 9))
    published: list[int] = []
    barrier = threading.Barrier(8)

    def complete(claim: Claim) -> UUID | None:
        barrier.wait()
        try:
            return finish(claim, publish=lambda: published.append(claim.attempt_number))
        except Fenced:
            return None

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(complete, claims))
    assert published == [8], "the newest token alone publishes"
    assert len([result for result in results if result]) == 1
    assert states(session) == ["lost"] * 7 + ["completed"]


def test_nobody_overtakes_while_a_result_is_entered(
    sight: Sight, claim_of: ClaimOf, finish: Finish
) -> None:
    seen = sight()
    first = claim_of(seen.dataset_id)
    publishing, claimed = threading.Event(), threading.Event()

    def publish() -> None:
        publishing.set()
        assert not claimed.wait(0.3), "the second claim waits for the commit"

    def overtake() -> Claim:
        publishing.wait(10)
        second = claim_of(seen.dataset_id)
        claimed.set()
        return second

    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(overtake)
        derived = finish(first, publish=publish)
        assert (second.result().already_completed, second.result().derived_id) == (True, derived)


# -- which run a flow run stands for --------------------------------------------------------


def test_prefect_may_be_faster_than_the_dispatcher(
    engine: Engine, session: Session, sight: Sight, claim_of: ClaimOf
) -> None:
    seen = sight()
    claim = claim_of(seen.dataset_id, "flow-run-1")
    dispatch = session.scalars(select(Dispatch)).one()
    assert (claim.run_id, dispatch.flow_run_id) == (seen.run_id, "flow-run-1")
    outbox.mark_sent(session, dispatch.id, "flow-run-1")
    session.commit()
    assert claim_of(seen.dataset_id, "flow-run-1").run_id == seen.run_id


def test_a_copy_made_in_the_prefect_ui_is_a_run_of_a_person(
    session: Session, sight: Sight, claim_of: ClaimOf, finish: Finish
) -> None:
    seen = sight()
    first = finish(claim_of(seen.dataset_id, "original"))
    copy = claim_of(seen.dataset_id, "copy", parameters={"rotation_axis": 12.5}, reason="off")
    run = session.get_one(Run, copy.run_id)
    assert (run.parent_id, run.request_id, run.version) == (seen.run_id, "copy", 2)
    assert (run.actor, run.reason, run.lane) == ("prefect-ui", "off", "reprocess")
    assert copy.parameters == {"filter": "ramp", "padding": 2, "rotation_axis": 12.5}
    again = claim_of(seen.dataset_id, "copy")
    assert (again.run_id, again.attempt_number) == (copy.run_id, 2)
    second = finish(again)
    assert session.get_one(Dataset, first).is_current is False
    assert session.get_one(Dataset, second).is_current is True
    assert len(session.scalars(select(Dispatch.id)).all()) == 1, "it needs no dispatch"


def test_a_flow_run_without_a_dispatch_follows_the_current_result(
    session: Session, sight: Sight, claim_of: ClaimOf, finish: Finish
) -> None:
    seen = sight()
    finish(claim_of(seen.dataset_id))
    custom = claim_of(seen.dataset_id, "custom", dispatch_id=None)
    assert session.get_one(Run, custom.run_id).parent_id == seen.run_id


def test_the_same_copy_claimed_twice_at_once_is_one_run(
    session: Session, sight: Sight, claim_of: ClaimOf
) -> None:
    seen = sight()
    claim_of(seen.dataset_id, "original")
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda _: claim_of(seen.dataset_id, "copy"), range(4)))
    assert len({claim.run_id for claim in claims}) == 1
    assert len(session.scalars(select(Run.id)).all()) == 2


def test_a_dispatch_of_another_catalogue_is_a_sentence(sight: Sight, claim_of: ClaimOf) -> None:
    with pytest.raises(NotFound, match="made for another catalogue"):
        claim_of(sight().dataset_id, dispatch_id=uuid4())


# -- a person's rerun -----------------------------------------------------------------------


def test_a_rerun_is_a_new_version_with_who_and_why(
    engine: Engine, session: Session, sight: Sight, claim_of: ClaimOf, finish: Finish
) -> None:
    seen = sight()
    finish(claim_of(seen.dataset_id))
    run = ask(engine, seen.dataset_id, rotation_axis=295.3)
    assert (run.version, run.parent_id, run.actor, run.reason) == (
        2,
        seen.run_id,
        "a user",
        "to see",
    )
    assert run.parameters["rotation_axis"] == 295.3
    same = ask(engine, seen.dataset_id, rotation_axis=295.3)
    assert same.id != run.id, "a person's request is always its own"
    finish(claim_of(seen.dataset_id, "v3"))
    finish(claim_of(seen.dataset_id, "v2", dispatch_id=dispatch_of(session, run.id)))
    current = session.scalars(select(Dataset.version).where(Dataset.is_current)).one()
    assert current == 3, "an older version that comes late is not made current"


def dispatch_of(session: Session, run_id: UUID) -> UUID:
    return session.scalars(select(Dispatch.id).where(Dispatch.run_id == run_id)).one()


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"rotation": 3}, "'rotation' is not a parameter of 'ct'; there are: filter, padding, rot"),
        ({"filter": "cosine"}, 'filter: "cosine" is not allowed. Allowed: "ramp", "hann".'),
        ({"padding": 9}, "padding: 9 is not allowed. Allowed: integer from 1 to 4."),
        (
            {"rotation_axis": "left"},
            'rotation_axis: "left" is not allowed. Allowed: number or null.',
        ),
    ],
)
def test_an_override_that_does_not_fit_is_a_sentence(
    engine: Engine, sight: Sight, overrides: dict[str, Any], sentence: str
) -> None:
    dataset_id = sight().dataset_id
    with pytest.raises(InvalidParameters) as error:
        ask(engine, dataset_id, **overrides)
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"stage": "broken", "reason": "it is empty"}, "it is quarantined (it is empty), and a"),
        ({"stage": "incomplete", "reason": "no link"}, "it is incomplete (no link), and a person"),
        ({"needs": ("flat",)}, "it waits for a calibration (No flat"),
        ({"stage": "opened"}, "it has not arrived completely yet"),
        ({"kind": "calibration"}, "is a calibration dataset"),
    ],
)
def test_what_cannot_be_reduced_is_a_sentence(
    engine: Engine, sight: Sight, claim_of: ClaimOf, changes: dict[str, Any], sentence: str
) -> None:
    dataset_id = sight(**changes).dataset_id
    for request in (
        lambda: ask(engine, dataset_id),
        lambda: claim_of(dataset_id, "made in the UI"),
    ):
        with pytest.raises(CatalogError) as error:
            request()
        assert sentence in str(error.value)


# -- ends that are not results --------------------------------------------------------------


def test_data_at_fault_go_to_quarantine(
    session: Session, engine: Engine, sight: Sight, claim_of: ClaimOf
) -> None:
    seen = sight()
    assert runs.fail(engine, claim_of(seen.dataset_id), "frames 3-9 are NaN", quarantine=True)
    dataset = session.get_one(Dataset, seen.dataset_id)
    assert (dataset.state, dataset.state_reason) == ("quarantined", "frames 3-9 are NaN")
    assert session.get_one(Run, seen.run_id).state == "failed"
    assert states(session) == ["failed"]
    with pytest.raises(CatalogError, match="a person must accept it first"):
        claim_of(seen.dataset_id)


def test_a_rerun_that_fails_leaves_the_good_result_standing(
    session: Session, engine: Engine, sight: Sight, claim_of: ClaimOf, finish: Finish
) -> None:
    seen = sight()
    good = finish(claim_of(seen.dataset_id))
    ask(engine, seen.dataset_id, padding=1)
    runs.fail(engine, claim_of(seen.dataset_id, "second"), "angles do not fit", quarantine=True)
    assert session.get_one(Dataset, seen.dataset_id).state == "validated"
    assert session.get_one(Dataset, good).is_current
    last = select(LifecycleEvent.event).where(LifecycleEvent.dataset_id == seen.dataset_id)
    assert session.scalars(last.order_by(LifecycleEvent.id.desc())).first() == "rerun_failed"


def test_a_failed_run_may_be_retried(
    session: Session, engine: Engine, sight: Sight, claim_of: ClaimOf, finish: Finish
) -> None:
    seen = sight()
    runs.fail(engine, claim_of(seen.dataset_id), "the disk was full")
    finish(claim_of(seen.dataset_id))
    assert states(session) == ["failed", "completed"]
    run = session.get_one(Run, seen.run_id)
    assert (run.state, run.state_reason) == ("completed", None)


def test_a_cancelled_run_stops_its_attempt(
    session: Session, engine: Engine, sight: Sight, claim_of: ClaimOf, finish: Finish
) -> None:
    claim = claim_of(sight().dataset_id)
    with Session(engine) as other, other.begin():
        assert runs.cancel_run(other, claim.run_id, actor="a user", reason="wrong sample")
    with pytest.raises(Fenced, match="cancelled, wrong sample"):
        runs.heartbeat(engine, claim)
    with pytest.raises(Fenced):
        finish(claim)
    assert states(session) == ["cancelled"]


def test_a_run_that_was_cancelled_before_it_began_does_not_begin(
    engine: Engine, session: Session, sight: Sight, claim_of: ClaimOf
) -> None:
    seen = sight()
    assert seen.run_id is not None
    with Session(engine) as other, other.begin():
        runs.cancel_run(other, seen.run_id, actor="a user", reason="not needed")
    assert outbox.unsent(session, 10) == []
    with pytest.raises(Fenced, match="cancelled before it began: not needed"):
        claim_of(seen.dataset_id)


def test_a_flow_may_cancel_itself(
    session: Session, engine: Engine, sight: Sight, claim_of: ClaimOf
) -> None:
    claim = claim_of(sight().dataset_id)
    assert runs.cancel(engine, claim, "cancelled in the Prefect UI")
    assert session.get_one(Run, claim.run_id).state == "cancelled"
    assert runs.cancel(engine, claim, "again") is False
