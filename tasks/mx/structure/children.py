"""Programs of others, each in a process of its own, with a log that stays."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tasks.errors import DataError

_POLL = 0.5  # seconds


def run_logged(
    command: Sequence[str],
    folder: Path,
    log: Path,
    *,
    name: str,
    timeout: float,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = lambda line: None,
) -> None:
    """
    Run a program to its end.

    Parameters
    ----------
    command
        Program and arguments; there is no shell.
    folder
        In which it runs.
    log
        What it prints.
    name
        For the sentence, should it fail.
    timeout
        Seconds, after which it is ended.
    environment
        Variables that are added; one thread is all it gets.
    on_line
        Called with each line that it prints.

    Raises
    ------
    DataError
        It failed or took too long.
    """
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as out, log.open(encoding="utf-8") as lines:
        with subprocess.Popen(
            list(command),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=variables,
        ) as child:
            while child.poll() is None:
                if time.monotonic() - started > timeout:
                    child.kill()
                    raise DataError(
                        f"{name} took longer than {timeout:.0f} s and was ended; its log is {log}."
                    )
                time.sleep(_POLL)
                for line in lines:
                    on_line(line)
        for line in lines:
            on_line(line)
    if child.returncode:
        text = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise DataError(
            f"{name} ended with code {child.returncode}; its log {log} ends: "
            f"{' / '.join(text[-3:])}"
        )
