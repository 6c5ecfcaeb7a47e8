from dataclasses import replace
from io import StringIO

from rich.console import Console

from infra.demo_progress import Display, Progress, table

REDUCED = Progress(
    "scan_0001", 124.3, "completed", "enter result", axis=124.6, seconds=3.2, verdict="ok"
)


def test_a_scan_is_right_when_it_is_recorded_and_its_axis_is_near_the_truth():
    assert REDUCED.right
    assert not replace(REDUCED, axis=125.0).right
    assert not replace(REDUCED, axis=None).right
    assert not replace(REDUCED, verdict="").right
    assert not replace(REDUCED, state="failed").right


def test_a_scan_that_waits_is_not_settled():
    states = ("to come", "waiting_for_calibration", "running", "completed", "quarantined", "failed")
    settled = [state for state in states if replace(REDUCED, state=state).settled]
    assert settled == ["completed", "quarantined", "failed"]


def test_without_a_terminal_each_change_is_a_line():
    console = Console(file=StringIO(), width=100)
    running = replace(REDUCED, state="running", stage="find rotation axis", axis=None)
    with Display(console) as display:
        for rows in (
            [replace(REDUCED, state="to come", stage="")],
            [running],
            [running],
            [REDUCED],
        ):
            display.show(rows, "")
    assert console.file.getvalue().splitlines() == [
        "scan_0001  running: find rotation axis",
        "scan_0001  completed: enter result, axis 124.60",
    ]


def test_on_a_terminal_the_scans_stand_in_a_table():
    console = Console(file=StringIO(), width=100)
    console.print(table([REDUCED], "12 s"))
    for word in ("scan_0001", "enter result", "124.60", "3.2", "completed", "ok"):
        assert word in console.file.getvalue()
