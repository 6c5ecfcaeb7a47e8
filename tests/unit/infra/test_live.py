"""The loop that follows datasets while they grow."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog import live
from catalog.live import Seen, Target
from infra.live import loop
from infra.live.loop import LiveLoop
from tasks.errors import DataError
from tests.unit.catalog.conftest import engine, sight  # noqa: F401 - fixtures


class Counting:
    """Sees one image more each time, after one look in vain."""

    made = 0

    def __init__(self, target: Target) -> None:
        Counting.made += 1
        self.name, self.looks = target.name, 0

    def look(self) -> Seen | None:
        self.looks += 1
        if self.looks == 1:
            raise DataError("not a single image yet")
        if self.looks == 4:
            raise ZeroDivisionError("a fault of ours")
        return Seen(self.looks, 10, {}, b"picture", self.name)


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "FOLLOWERS", {"ct": Counting})
    Counting.made = 0


@pytest.mark.usefixtures("follow")
def test_one_follower_looks_until_the_dataset_is_complete(
    engine: Engine,  # noqa: F811
    sight: Callable[..., object],  # noqa: F811
) -> None:
    dataset = sight(stage="opened").dataset_id
    looked, counts = LiveLoop(engine), []
    for _ in range(5):
        looked.step()
        with Session(engine) as session:
            seen = live.latest(session, dataset)
            counts.append(seen.seen if seen else 0)
    assert counts == [0, 2, 3, 3, 5]  # what goes wrong is not the end
    assert Counting.made == 1
    sight()
    looked.step()
    with Session(engine) as session:
        assert live.latest(session, dataset).seen == 5
