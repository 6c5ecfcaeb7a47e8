"""Chunks go to the cluster a few at a time, and all of them come back."""

from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from flows.cluster import worker_limits
from flows.progress import chunks_in_order


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def square(number: int) -> int:
    return number * number


def test_every_order_is_carried_out_once(client: Client) -> None:
    results = sorted(chunks_in_order(client, square, list(range(20)), ahead=3))
    assert results == [number * number for number in range(20)]


def test_no_more_than_asked_are_ahead(client: Client) -> None:
    most = 0
    for _ in chunks_in_order(client, square, list(range(12)), ahead=2):
        most = max(most, len(client.futures))
    assert most <= 2


def test_an_error_on_a_worker_reaches_the_flow(client: Client) -> None:
    with pytest.raises(TypeError):
        list(chunks_in_order(client, square, ["a", None], ahead=1))  # type: ignore[list-item]


def test_the_smallest_worker_counts(client: Client) -> None:
    limits = worker_limits(client)
    assert (limits.workers, limits.threads) == (1, 2)
    assert limits.memory > 0
