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
        (None, "not set"),
        ("ramp", "ramp"),
        (["牙齿", 3], "牙齿, 3"),
        ([], "none"),
        ({"rotation_axis": 295.3125, "rows": 3}, "rotation axis 295.312, rows 3"),
        ({"fraction": 0.48185, "sigma": 0.04894}, "0.482 ± 0.049"),
        ({"shift": -123.4, "sigma": 31.0}, "-123 ± 31"),
    ],
)
def test_values_of_a_recipe(value: object, text: str) -> None:
    assert words.number(value) == text


def test_a_composition_has_a_line_for_each_part_and_most_of_it_comes_first() -> None:
    found = {
        "Fe": {"fraction": 0.17, "sigma": 0.012},
        "Fe2O3_rt": {"fraction": 0.83, "sigma": 0.04},
    }
    assert words.lines(found) == ["Fe2O3_rt 0.830 ± 0.040", "Fe 0.170 ± 0.012"]
    assert words.lines({"is_match": False, "candidates": ["Fe", "FeO"]}) == [
        "is match no",
        "candidates Fe, FeO",
    ]
    assert words.lines(0.5) == ["0.5"]


def test_every_state_and_verdict_has_a_tone_of_its_own_choice() -> None:
    for word in (*DatasetState, *RunState, *AttemptState, *Verdict):
        assert str(word) in words.TONES
