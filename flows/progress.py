"""Progress that people watch in the Prefect UI, and Dask work that reports it."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar
from uuid import UUID

from distributed import Client, Future, as_completed
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.cluster import priority

Order = TypeVar("Order")
Result = TypeVar("Result")


class Progress:
    """A bar in the Prefect UI that grows with the chunks of a stage."""

    def __init__(self, what: str, total: int) -> None:
        self._total, self._done, self._shown = total, 0, 0
        created = create_progress_artifact(0.0, key="progress", description=what)
        self._artifact = created if isinstance(created, UUID) else UUID(str(created))

    def step(self) -> None:
        """Count one chunk; the UI is told every tenth of the way."""
        self._done += 1
        tenth = 10 * self._done // self._total
        if tenth > self._shown:
            self._shown = tenth
            update_progress_artifact(self._artifact, progress=100.0 * self._done / self._total)


def chunks_in_order(
    client: Client,
    function: Callable[[Order], Result],
    orders: Sequence[Order],
    ahead: int,
) -> Iterator[Result]:
    """Work through orders on the cluster, never more than `ahead` of them at a time.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    function : callable
        Called with one order, on a worker.
    orders : sequence
        Small, picklable references.
    ahead : int
        How many may be waiting, running or finished but not taken: this bounds the scratch space.

    Yields
    ------
    Result
        As they finish.
    """
    waiting = iter(orders)

    def submit(count: int) -> list[Future[Result]]:
        return [
            client.submit(function, order, pure=False, priority=priority())
            for order in islice(waiting, count)
        ]

    running = as_completed(submit(ahead), loop=client.loop)
    for future in running:
        yield future.result()
        future.release()
        for following in submit(1):
            running.add(following)
