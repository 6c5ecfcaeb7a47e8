"""Who follows a dataset of a technique while it grows."""

from collections.abc import Callable
from typing import Protocol

from catalog.live import Seen, Target
from infra.live.sweep import SweepFollower


class Follower(Protocol):
    """Looks again and again at one dataset that grows."""

    def look(self) -> Seen | None:
        """
        Look at what has come since the last time.

        Returns
        -------
        Seen or None
            What is seen by now; None if nothing is new.

        Raises
        ------
        DataError
            It cannot be read (yet).
        """
        ...


FOLLOWERS: dict[str, Callable[[Target], Follower]] = {"mx": SweepFollower}
"""By technique."""
