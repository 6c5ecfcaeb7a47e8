"""Gives each service of a platform a clock of its own, which a test can put wrong.

This folder stands on the PYTHONPATH of the platform: Python imports this module when it starts. A
service that finds the file of a clock of its name becomes itself again with libfaketime
loaded; the process, its id and its death signal stay. What it starts keeps its clock.
"""

import os
import select
import sys
import time


def _wear_a_clock() -> None:
    words = sys.orig_argv
    if "FAKETIME_TIMESTAMP_FILE" in os.environ:
        time.sleep = _sleep
        return
    if "-m" not in words:
        return
    name = words[words.index("-m") + 1].removeprefix("infra.serve_")
    file = os.path.join(os.environ["CHAOS_CLOCKS"], name)  # noqa: PTH118 - pathlib costs time
    if os.path.exists(file):  # noqa: PTH110
        os.environ["FAKETIME_TIMESTAMP_FILE"] = file
        os.environ["LD_PRELOAD"] = os.environ["CHAOS_LIBFAKETIME"]
        os.execv(sys.executable, words)  # noqa: S606 - as it was started


def _sleep(seconds: float) -> None:
    """Sleep for a while, where libfaketime refuses to sleep until a monotonic time."""
    select.select((), (), (), seconds)


_wear_a_clock()
