"""Whether the kernel ended a process, and how much it held."""

import os
from pathlib import Path

import pytest

from infra import memory


def test_our_own_peak_is_known_and_that_of_nobody_is_none() -> None:
    assert memory.peak(os.getpid()) > 10_000_000
    assert memory.peak(2**22 + 1) == 0


def test_kills_are_counted_where_the_kernel_tells_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vmstat, events = tmp_path / "vmstat", tmp_path / "memory.events"
    vmstat.write_text("nr_free_pages 5\noom_kill 3\n")
    monkeypatch.setattr(memory, "VMSTAT", vmstat)
    monkeypatch.setattr(memory, "EVENTS", events)
    assert memory.kills() == 3
    events.write_text("oom 9\noom_kill 1\noom_group_kill 0\n")
    assert memory.kills() == 4


def test_the_sentence_has_sizes_and_what_to_set() -> None:
    told = memory.explain(3 * 2**30)
    assert "it held 3.0 GiB" in told
    assert "runs.at_once" in told
