"""Room kept for PostgreSQL: a file that is given up when its disk is full, and made again."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

GIVE_UP = 0.5
"""Given up when less than this part of its size is free beside it."""
MAKE = 2.0
"""Made when so many times its size are free."""


@dataclass(frozen=True)
class Reserve:
    """The file, beside the data of the database.

    Attributes
    ----------
    path : Path
        Where it lies.
    size : int
        Its bytes; 0 for none.
    """

    path: Path
    size: int

    @classmethod
    def beside(cls, data: Path, megabytes: int) -> "Reserve":
        """Return the reserve for a data folder."""
        return cls(data.parent / "reserve", megabytes * 1_000_000)

    @property
    def is_there(self) -> bool:
        """Whether it holds its room."""
        return self.path.exists()

    def keep(self) -> Literal["kept", "made", "given up", "missing"]:
        """Give it up when the disk is full, and make it again when there is room."""
        if not self.path.parent.is_dir():
            return "missing"
        free = shutil.disk_usage(self.path.parent).free
        if self.is_there:
            return "given up" if self.give_up_if_full() else "kept"
        if not self.size or free < MAKE * self.size:
            return "missing"
        self._make()
        return "made"

    def give_up_if_full(self) -> bool:
        """Remove it if the disk is almost full, or if none is wanted any more."""
        if not self.is_there:
            return False
        free = shutil.disk_usage(self.path.parent).free
        if self.size and free >= GIVE_UP * self.size:
            return False
        self.path.unlink(missing_ok=True)
        return True

    def _make(self) -> None:
        unfinished = self.path.with_name(".reserve.partial")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self.size)
        except OSError:
            unfinished.unlink()
            raise
        finally:
            os.close(descriptor)
        unfinished.rename(self.path)
