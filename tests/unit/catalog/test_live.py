"""What is seen of a dataset while it grows, until it has a result."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog import live
from catalog.arrivals import Recorded
from catalog.live import Seen
from catalog.queries import dataset_detail

Sight = Callable[..., Recorded]
FIRST = Seen(1, 10, {"spots": [5]}, b"first", "1 image")
SECOND = Seen(2, 10, {"spots": [5, 7]}, b"second", "2 images")


def test_what_is_being_written_is_found_with_its_place(session: Session, sight: Sight) -> None:
    opened = sight(stage="opened", format="dxchange")
    found = live.growing(session, ["ct"])
    assert [(each.dataset_id, str(each.path)) for each in found] == [
        (opened.dataset_id, "/data/raw/tooth.h5")
    ]
    assert found[0].format == "dxchange"
    assert live.growing(session, ["mx"]) == []


@pytest.mark.parametrize("stage", ["complete", "aborted", "broken"])
def test_what_is_over_is_not(session: Session, sight: Sight, stage: str) -> None:
    sight(stage="opened")
    sight(stage=stage, reason="over")
    assert live.growing(session, ["ct"]) == []


def test_what_was_seen_last_stands_in_place_of_what_was_seen_before(
    session: Session, sight: Sight
) -> None:
    dataset = sight(stage="opened").dataset_id
    assert live.latest(session, dataset) is None
    for seen in (FIRST, SECOND):
        live.show(session, dataset, seen)
    found = live.latest(session, dataset)
    assert found is not None
    assert (found.seen, found.figures, found.picture) == (2, {"spots": [5, 7]}, b"second")
    detail = dataset_detail(session, dataset)
    assert detail is not None
    assert detail.live is not None
    assert (detail.live.seen, detail.live.note) == (2, "2 images")


def test_a_result_shows_the_same_for_good(
    engine: Engine,
    sight: Sight,
    claim_of: Callable[..., object],
    finish: Callable[..., object],
) -> None:
    dataset = sight().dataset_id
    with Session(engine) as session, session.begin():
        live.show(session, dataset, FIRST)
        live.forget(session)
        assert dataset_detail(session, dataset).live is not None
    finish(claim_of(dataset))
    with Session(engine) as session, session.begin():
        live.forget(session)
        assert dataset_detail(session, dataset).live is None
