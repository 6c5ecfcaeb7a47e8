"""The kinds of faults, and how many of each a full schedule has."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.faults import again, away, clock, disk, hang, kill
from tests.chaos.world import World, Wound


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes
    ----------
    inject : callable
        Does it, at once, and returns what it did.
    share : int
        How many of them are in a full schedule: dear ones (a start of Prefect takes 10 s of a
        core) are few.
    """

    inject: Callable[[World], Wound]
    share: int


KINDS: dict[str, Kind] = {
    "kill -9 run": Kind(kill.run, 6),
    "kill -9 worker": Kind(kill.service("worker"), 3),
    "kill -9 fork server": Kind(kill.fork_server, 3),
    "kill -9 Dask worker": Kind(kill.dask_worker, 3),
    "kill -9 cluster": Kind(kill.service("cluster"), 2),
    "kill -9 triggers": Kind(kill.service("triggers"), 4),
    "kill -9 dispatcher": Kind(kill.service("dispatcher"), 4),
    "kill -9 API": Kind(kill.service("api"), 3),
    "kill -9 caretaker": Kind(kill.service("caretaker"), 2),
    "kill -9 Prefect": Kind(kill.service("prefect"), 2),
    "kill -9 PostgreSQL": Kind(kill.service("postgres"), 2),
    "kill -9 supervisor": Kind(kill.supervisor, 2),
    "PostgreSQL away for 30 s": Kind(away.service("postgres", 30.0), 1),
    "Prefect away for 60 s": Kind(away.service("prefect", 60.0), 1),
    "stopped for 20 s: triggers": Kind(hang.for_a_while("triggers", 20.0), 1),
    "stopped for 20 s: dispatcher": Kind(hang.for_a_while("dispatcher", 20.0), 1),
    "stopped for 20 s: worker": Kind(hang.for_a_while("worker", 20.0), 1),
    "stopped for 20 s: PostgreSQL": Kind(hang.postgres(20.0), 1),
    "stopped for good: run": Kind(hang.run, 1),
    "stopped for good: triggers": Kind(hang.service("triggers"), 1),
    "stopped for good: API": Kind(hang.service("api"), 1),
    "clock of the triggers": Kind(clock.jump("triggers"), 1),
    "clock of the dispatcher": Kind(clock.jump("dispatcher"), 1),
    "clock of worker and runs": Kind(clock.jump("worker"), 1),
    "clock of Prefect": Kind(clock.jump("prefect"), 1),
    "disk of results full": Kind(disk.fill, 2),
    "touched again": Kind(again.touched, 2),
    "copied again": Kind(again.copied, 2),
    "reported again": Kind(again.reported, 2),
}
