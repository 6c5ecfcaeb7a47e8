"""What an attempt is told, and what it keeps of where it ran."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog import people, queries
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


def test_a_claim_tells_what_the_catalogue_knows_of_the_sample(
    engine: Engine, sight: Callable, claim_of: Callable
) -> None:
    recorded = sight(sample="molar")
    facts = {"formula": "Ca5(PO4)3OH", "density": 3.1, "container": "kapton 1.0 mm"}
    with Session(engine) as session, session.begin():
        people.correct_sample(
            session, name="molar", proposal=None, fields=facts, actor="me", reason="weighed"
        )
    claim = claim_of(recorded.dataset_id)
    assert (claim.sample, claim.sample_facts) == ("molar", facts)
    assert claim.folders == (Path("/data/raw"),)


def test_a_claim_of_an_unknown_sample_tells_nothing_of_it(
    sight: Callable, claim_of: Callable
) -> None:
    claim = claim_of(sight().dataset_id)
    assert (claim.sample, claim.sample_facts) == (None, {})
