"""Which files were looked at in which state, in a few bytes each."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

State = tuple[str, int, int, int]
"""Path, size, mtime_ns and inode of a file."""


class Settled:
    """
    A set of files in the state in which nothing more is to be learned from them.

    It keeps a 64-bit digest of each, 8 bytes in the long run, since a beamline may have a million
    files. That two of them share a digest happens once in tens of millions of such sets; a file
    that was missed by it is found when its state changes.
    """

    OVERLAY = 20_000

    def __init__(self, states: Iterable[State] = ()) -> None:
        self._sorted: NDArray[np.int64] = np.unique(
            np.fromiter((hash(state) for state in states), np.int64)
        )
        self._new: set[int] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._sorted) + len(self._new)

    def __contains__(self, state: State) -> bool:
        return not self.unknown([state])

    def unknown(self, states: Sequence[State]) -> list[State]:
        """Return those of some states that are not in the set."""
        digests = np.fromiter((hash(state) for state in states), np.int64, len(states))
        with self._lock:
            known, new = self._sorted, self._new
            at = np.searchsorted(known, digests)
            at[at == len(known)] = 0
            is_old = known[at] == digests if len(known) else np.zeros(len(digests), bool)
            return [
                state
                for state, digest, old in zip(states, digests.tolist(), is_old, strict=True)
                if not old and digest not in new
            ]

    def add(self, state: State) -> None:
        """Take in a file in its present state."""
        if state in self:
            return
        with self._lock:
            self._new.add(hash(state))
            if len(self._new) > self.OVERLAY:
                new = np.fromiter(self._new, np.int64, len(self._new))
                self._sorted, self._new = np.union1d(self._sorted, new), set()
