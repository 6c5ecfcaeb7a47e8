"""Child processes that die with their parent, and whether a process known by its id still lives."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra import launch


def spawn(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: str | None = None,
    log: Path | int | None = None,
    death_signal: int = signal.SIGKILL,
) -> "subprocess.Popen[bytes]":
    """Start a program in a session of its own that ends when this process ends, however it ends.

    Parameters
    ----------
    argv : sequence of str or path
        The program and its arguments.
    env : mapping, optional
        The whole environment of the child; this process's own by default.
    cwd : Path, optional
        Its working folder; the root folder for another user, who may be unable to enter ours.
    user : str, optional
        The user that it runs as; only root can change it.
    log : Path or int, optional
        Where its output and errors go: a file that is appended to, or a descriptor
        (``subprocess.PIPE``); by default where ours go.
    death_signal : int
        What the kernel sends it when this process dies: SIGKILL, SIGTERM, or SIGINT for PostgreSQL.

    Raises
    ------
    RuntimeError
        Outside the main thread: the kernel binds the signal to the thread that starts the child,
        so the child would be killed as soon as that thread ended.
    FileNotFoundError
        There is no such program on the child's PATH.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("start children from the main thread: they die with their thread")
    command = [os.fspath(word) for word in argv]
    command[0] = _find(command[0], env)
    output = log.open("ab") if isinstance(log, Path) else log
    try:
        return subprocess.Popen(
            [*_launcher(death_signal, user), *command],
            env=env,
            cwd=cwd or ("/" if user else None),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            start_new_session=True,
        )
    finally:
        if output is not None and not isinstance(output, int):
            output.close()


def _find(program: str, env: Mapping[str, str] | None) -> str:
    # A virtual environment's Python is found by its own, unresolved path.
    found = shutil.which(program, path=(os.environ if env is None else env).get("PATH"))
    if found is None:
        raise FileNotFoundError(f"no program {program!r} that we may run")
    return os.path.abspath(found)  # noqa: PTH100 - Path.absolute keeps "..", resolve follows links


def _launcher(death_signal: int, user: str | None) -> list[str]:
    account = pwd.getpwnam(user) if user is not None else None
    uid, gid = (account.pw_uid, account.pw_gid) if account else (-1, -1)
    numbers = (os.getpid(), int(death_signal), uid, gid)
    return [sys.executable, "-I", "-S", launch.__file__, *(str(number) for number in numbers)]


def die_with_parent(death_signal: int = signal.SIGKILL, parent: int | None = None) -> None:
    """Let this process end when its parent does (for children that no ``spawn`` has started).

    Parameters
    ----------
    death_signal : int
        The signal that the kernel sends.
    parent : int, optional
        The parent's process id as it told it itself. Without it the present parent is taken, which
        is wrong if the real one has died already.
    """
    launch.set_death_signal(death_signal, os.getppid() if parent is None else parent)


def process_started(pid: int) -> float:
    """Return when a process started, in seconds since the machine did (no clock change moves it).

    Raises
    ------
    ProcessLookupError
        There is no such process, or it has ended and only waits to be collected.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(f"no process {pid}") from None
    # The name stands in brackets and may itself contain spaces and brackets.
    state, *fields = stat.rpartition(")")[2].split()
    if state in "ZXx":
        raise ProcessLookupError(f"process {pid} has ended")
    return int(fields[18]) / os.sysconf("SC_CLK_TCK")


def is_alive(pid: int, started: float | None = None) -> bool:
    """Tell whether a process lives and, if its start is given, is not a later one with its id."""
    try:
        now = process_started(pid)
    except ProcessLookupError:
        return False
    return started is None or abs(now - started) < 1 / os.sysconf("SC_CLK_TCK")
