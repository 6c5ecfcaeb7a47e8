"""What a batch does with the scans that it carries."""

from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from catalog.batches import Carried
from flows import batch
from flows.reduction import IN_BATCH
from flows.registry import FLOWS
from tasks.errors import DataError


class Nothing(BaseModel):
    """No parameters."""


def carried(name: str) -> Carried:
    return Carried(uuid4(), uuid4(), name, "ct", "ct-reduction", {}, "")


def test_a_poisoned_scan_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    scans = [carried(name) for name in ("good", "poisoned", "better")]
    poisoned = scans[1].dataset_id
    seen: list[Any] = []

    def reduce(dataset: Any, recipe: Any, reason: str, dispatch: Any) -> None:
        assert IN_BATCH.get()
        seen.append(dataset)
        if dataset == poisoned:
            raise DataError("no angles")

    monkeypatch.setattr(batch, "engine_from_environment", Disposable)
    monkeypatch.setattr(batch, "carried", lambda *_: scans)
    monkeypatch.setattr(batch, "function_of", lambda _: reduce)
    state = batch.reduce_batch.fn([scan.dispatch_id for scan in scans])
    assert seen == [scan.dataset_id for scan in scans]
    assert state.message == "2 of 3 scans ended well, 1 did not: poisoned."
    assert not IN_BATCH.get()


class Disposable:
    """Stands for an engine."""

    def dispose(self) -> None:
        """Do nothing."""


def test_flows_are_found_by_their_names() -> None:
    entry = batch.entry_of("ct-reduction")
    assert entry is FLOWS["ct"]
    assert callable(batch.function_of(entry))
    with pytest.raises(LookupError, match="no flow 'mx'"):
        batch.entry_of("mx")
