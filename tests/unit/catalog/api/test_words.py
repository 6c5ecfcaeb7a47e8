"""How values read on a page."""

from datetime import UTC, datetime, timedelta

import pytest

from catalog.states import AttemptState, DatasetState, RunState, Verdict
from catalog.web import words


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_999, "1.0 MB"),
        (123_456_789, "123 MB"),
        (630 * 10**9, "630 GB"),
        (10**18, "1000 PB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.31, "310 ms"), (12.34, "12.3 s"), (75, "1 min 15 s"), (7260, "2 h 1 min")],
)
def test_durations(value: float | None, text: str) -> None:
    assert words.seconds(value) == text


@pytest.mark.parametrize(
    ("passed", "text"),
    [(0, "just now"), (40, "40 s ago"), (360, "6 min ago"), (3 * 86_400, "3 days ago")],
)
def test_how_long_ago(passed: int, text: str) -> None:
    assert words.ago(datetime.now(UTC) - timedelta(seconds=passed)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (295.3123456, "295.312"),
        (6.5e-7, "6.5e-07"),
        (True, "yes"),
        (None, "none"),
        ("ramp", "ramp"),
        (["牙齿"], '["牙齿"]'),
        ({"rotation_axis": 295.3125, "rows": 3}, "rotation axis 295.312, rows 3"),
    ],
)
def test_values_of_a_recipe(value: object, text: str) -> None:
    assert words.number(value) == text


def test_every_state_and_verdict_has_a_tone_of_its_own_choice() -> None:
    for word in (*DatasetState, *RunState, *AttemptState, *Verdict):
        assert str(word) in words.TONES
