"""What a run's process used of the memory, and whether the kernel ended it for want of it."""

import os
from pathlib import Path

GIB = 2**30
EVENTS = Path("/sys/fs/cgroup/memory.events")
VMSTAT = Path("/proc/vmstat")


def kills() -> int:
    """Return how many processes the kernel has ended for want of memory, since its start."""
    return _count(VMSTAT) + _count(EVENTS)


def _count(file: Path) -> int:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0  # an older kernel, or no control group
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def peak(pid: int) -> int:
    """Return the most memory that a process has held so far, 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 if found else 0


def explain(held: int) -> str:
    """Say that a process was ended for want of memory, with sizes and what to set."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (
        f"The kernel ended the run's process for want of memory: it held {held / GIB:.1f} GiB of "
        f"the machine's {machine / GIB:.1f} GiB. Let fewer runs go on at once (runs.at_once), or "
        "give the cluster's workers less (cluster.memory_limit)."
    )
