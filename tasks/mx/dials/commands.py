"""The commands of DIALS: whether they are there, and one run of one of them.

DIALS: Winter et al., Acta Cryst. D74, 85 (2018). It is an external program that a site installs.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import DataError

COMMANDS = (
    "dials.import",
    "dials.find_spots",
    "dials.index",
    "dials.refine",
    "dials.integrate",
    "dials.symmetry",
    "dials.scale",
)
_LINES = 12  # of a log that failed, which tell why


@dataclass(frozen=True)
class Dials:
    """
    A folder in which DIALS works on one sweep.

    Attributes
    ----------
    folder
        Its files go there, under the names that DIALS' own documentation uses.
    cores
        Processes that it may use.
    timeout
        Seconds that one command may take.
    """

    folder: Path
    cores: int = 1
    timeout: float = 3600.0

    def file(self, name: str) -> Path:
        """Return the path of one of its files."""
        return self.folder / name

    def run(self, command: str, *arguments: str) -> None:
        """
        Run a command, whose words are kept in a log beside its files.

        Raises
        ------
        DataError
            It is not installed, failed, or took too long; with the last lines of what it said.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.file(f"{command}.out")
        program = _program(command)
        try:
            with log.open("w", encoding="utf-8") as said:
                ended = subprocess.run(
                    [program, *arguments],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    timeout=self.timeout,
                    check=False,
                )
        except subprocess.TimeoutExpired as error:
            raise DataError(f"{command} did not end within {self.timeout:.0f} s.") from error
        if ended.returncode != 0:
            raise DataError(f"{command} failed: {_last_lines(log)}")


def missing_commands() -> tuple[str, ...]:
    """Return the commands that are not on the PATH."""
    return tuple(command for command in COMMANDS if shutil.which(command) is None)


def version() -> str:
    """Return what DIALS says of its version; empty if it says nothing."""
    program = shutil.which("dials.version")
    if program is None:
        return ""
    try:
        said = subprocess.run([program], capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return ""
    return said.stdout.splitlines()[0].strip() if said.stdout.strip() else ""


def require() -> None:
    """
    Refuse with a sentence if DIALS is not installed.

    Raises
    ------
    DataError
        Commands are missing.
    """
    if missing := missing_commands():
        raise DataError(
            f"The recipe wants DIALS, but {_named(missing)} not on the PATH of the worker: install "
            "DIALS and start the platform from a shell in which it is set up, or take "
            "program = 'dayseye'."
        )


def _named(missing: Sequence[str]) -> str:
    return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'}"


def _program(command: str) -> str:
    program = shutil.which(command)
    if program is None:
        raise DataError(f"{command} is not on the PATH: install DIALS, or take another program.")
    return program


def _last_lines(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    return " ".join(said[-_LINES:]) or "it said nothing"
