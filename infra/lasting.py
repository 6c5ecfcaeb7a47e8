"""How long something has been seen without a break, by a clock that nobody can set."""

import time
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Lasting(Generic[Key]):
    """Remembers since when each of some things has been seen."""

    def __init__(self) -> None:
        self._since: dict[Key, float] = {}

    def look(self, seen: Iterable[Key]) -> dict[Key, float]:
        """Return for how many seconds each has been seen; what is not seen now is forgotten."""
        now = time.monotonic()
        self._since = {key: self._since.get(key, now) for key in seen}
        return {key: now - since for key, since in self._since.items()}
