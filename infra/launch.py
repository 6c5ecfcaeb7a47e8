"""Become another program that dies with its parent.

Called as ``launch.py PARENT SIGNAL UID GID /PROGRAM ARGUMENT ...`` (UID -1: stay who we are).

A program of its own rather than a ``preexec_fn``: the supervisor has threads, and Python code
between fork and exec of a threaded process may deadlock. It needs the standard library alone.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
# By Python itself, and by a shell that started us in the background or under nohup: a program must
# hear the signals that end it.
IGNORED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
# Loaded here: after a change of user, Python itself may lie where nothing more can be imported.
_libc = ctypes.CDLL(None, use_errno=True)


def set_death_signal(death_signal: int, parent: int) -> None:
    """Ask the kernel for a signal when the parent dies.

    Parameters
    ----------
    death_signal : int
        The signal that ends this process when its parent is gone.
    parent : int
        Process id of the parent; when it died before the kernel was asked, this process ends too.
    """
    if _libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused PR_SET_PDEATHSIG")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Change the user, set the death signal (a change of user clears it), become the program."""
    parent, death_signal, user, group = (int(word) for word in sys.argv[1:5])
    program = sys.argv[5:]
    if user >= 0:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    set_death_signal(death_signal, parent)
    for ignored in IGNORED:
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execv(program[0], program)  # noqa: S606 - an absolute path, no shell
    except OSError as error:
        sys.exit(f"cannot start {program[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
