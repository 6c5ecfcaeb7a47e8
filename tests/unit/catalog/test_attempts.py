"""What an attempt keeps of where it ran."""

from collections.abc import Callable

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog import queries
from catalog.models import Attempt


def test_the_machine_stays_with_the_attempt(
    engine: Engine, sight: Callable, claim_of: Callable, finish: Callable
) -> None:
    machine = {"cpu": "a fast one", "gpus": [{"name": "big"}], "driver": "580.1"}
    claim = claim_of(sight().dataset_id, machine=machine)
    finish(claim, rules_version="ct/1", reasons=[{"rule": "beam", "reason": "one frame is dark"}])
    with Session(engine) as session:
        assert session.scalars(select(Attempt.machine)).one() == machine
        detail = queries.run_detail(session, claim.run_id)
    assert detail is not None
    assert detail.attempt_list[0].machine == machine
    assert detail.result is not None
    assert detail.result.reasons == ["one frame is dark"]
