"""What a person is told when memory was short."""

from types import SimpleNamespace

from distributed.scheduler import KilledWorker

from flows.memory import explain
from flows.transient import is_transient


def test_workers_that_died_are_explained_with_their_size_and_tried_again() -> None:
    error = KilledWorker("slab", SimpleNamespace(memory_limit=2 * 2**30), 3)  # type: ignore[arg-type]
    told = explain(error)
    assert told.startswith("4 workers of the cluster died one after the other on the same chunk")
    assert "each may use 2.0 GiB" in told
    assert "cluster.memory_limit" in told
    assert is_transient(error)


def test_a_lack_of_memory_is_told_with_what_to_set_and_not_tried_again() -> None:
    error = MemoryError("Unable to allocate 7.45 GiB for an array")
    assert "7.45 GiB" in explain(error)
    assert "runs.at_once" in explain(error)
    assert not is_transient(error)


def test_other_errors_are_told_as_they_are() -> None:
    assert explain(ValueError("no")) == "ValueError: no"
