"""Which scans of a series are compared, and how their places in time are told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from catalog.runs import InputFile
from flows.xas.recipe import Recipe as ScanRecipe
from flows.xas.series.choice import choose, in_time, names_of
from flows.xas.series.members import spectrum_files
from flows.xas.series.recipe import Recipe, for_scans
from flows.xas.series.types import Member, Members
from tasks.io.xas.reduced import ReducedFacts
from tasks.xas.series_block import Place

BEGAN = datetime(2026, 1, 17, 9, 30, tzinfo=UTC)
FACTS = ReducedFacts(
    element="Fe",
    edge="K",
    mode="transmission",
    low=6960.0,
    high=7900.0,
    e0=7120.0,
    edge_step=1.0,
    edge_step_sigma=0.001,
    offset=0.1,
    offset_sigma=0.02,
    table="kraft",
    foil="Fe",
    noise=0.002,
    sweeps=1,
    started_at=BEGAN,
)


def member(number, verdict="ok", **facts):
    at = BEGAN + timedelta(minutes=2 * number)
    return Member(
        f"scan_{number}",
        f"result {number}",
        Path(f"/{number}.h5"),
        verdict,
        replace(FACTS, **{"started_at": at, **facts}),
        Place("/scratch.npz", number),
    )


def series(*odd, count=12):
    return [*(member(number) for number in range(count)), *odd]


@pytest.mark.parametrize(
    ("odd", "rule", "word"),
    [
        (member(12, element="Cu", low=8800, high=9900), "element", "Cu K edge, the others Fe K"),
        (member(12, edge="L3"), "element", "Fe L3"),
        (member(12, verdict="bad"), "scans", "marked as bad"),
        (member(12, edge_step=-0.1), "scans", "edge step is -0.1"),
        (member(12, edge_step=np.nan), "scans", "edge step is nan"),
        (member(12, high=7130.0), "scans", "too little about the edge"),
        (member(12, high=7400.0), "scans", "the others from 6960 to 7900"),
    ],
)
def test_one_that_cannot_be_compared_is_left_out_with_a_sentence(odd, rule, word):
    found = choose(series(odd), [])
    assert [each.name for each in found.kept] == [f"scan_{number}" for number in range(12)]
    assert list(found.doubts) == [rule]
    (sentence,) = found.doubts[rule]
    assert sentence.startswith("1 of 13 scans is left out (scan_12)")
    assert word in sentence
    assert [name for name, _ in found.left_out] == ["scan_12"]


def test_many_short_scans_shorten_the_range_for_all():
    short = [member(number, high=7400.0) for number in range(12, 18)]
    found = choose(series(*short), [])
    assert len(found.kept) == 18
    assert not found.doubts


def test_what_cannot_be_read_is_named_too():
    found = choose(series(), [("torn", "/torn.h5 is cut short.")])
    assert found.doubts == {"scans": ("1 of 13 scans is left out (torn): /torn.h5 is cut short.",)}


def test_nothing_that_can_be_used_leaves_nothing():
    assert choose([], [("torn", "why")]).kept == []
    assert choose([member(1, verdict="bad")], []).kept == []


def test_scans_are_in_the_order_in_which_they_began_if_all_say_when():
    mixed = [member(3), member(1), member(2)]
    assert [each.name for each in in_time(mixed)] == ["scan_1", "scan_2", "scan_3"]
    mixed[1] = member(1, started_at=None)
    assert in_time(mixed) == mixed


@pytest.mark.parametrize(
    ("minutes", "values", "name"),
    [
        ((0, 1.5, 4), (0, 1.5, 4), "time since the first scan (min)"),
        ((0, 600, 1200), (0, 10, 20), "time since the first scan (h)"),
        ((0, 0, 0), (0, 1, 2), "scan"),
        ((0, None, 4), (0, 1, 2), "scan"),
    ],
)
def test_the_axis_is_time_where_all_scans_tell_it(minutes, values, name):
    at = [None if each is None else BEGAN + timedelta(minutes=each) for each in minutes]
    kept = [member(number, started_at=each) for number, each in enumerate(at)]
    axis = Members(kept, [], ScanRecipe()).axis
    np.testing.assert_allclose(axis.values, values)
    assert axis.name == name


def test_names_of_many_scans_stay_short():
    assert names_of(["a", "b"]) == "a, b"
    assert names_of(list("abcdefg")) == "a, b, c, d and 3 more"


def test_what_is_left_empty_is_as_the_last_scan_was_reduced():
    told = {"standards": "iron", "fit_to": 80.0, "pre1": -100.0, "of_another_version": 1}
    asked = for_scans(Recipe(fit_to=50.0), told)
    assert (asked.standards, asked.fit_to, asked.pre1) == ("iron", 50.0, -100.0)
    assert asked.libraries == []
    assert for_scans(Recipe(standards="none"), told).standards is None
    assert for_scans(Recipe(compounds=[]), {"compounds": ["Fe"]}).compounds == []


def test_a_window_that_does_not_fit_the_scans_is_named():
    with pytest.raises(ValueError, match="fit_from"):
        for_scans(Recipe(fit_from=90.0), {"fit_to": 60.0})


def test_of_each_result_the_hdf5_file_of_its_spectrum_is_read():
    def file(name, dataset, output="spectrum"):
        return InputFile(Path(name), "", "member", "", None, dataset, output=output)

    inputs = [file("a.xdi", 1), file("a.h5", 1), file("b.h5", 2), file("c.tif", 3, "slices")]
    assert [each.path.name for each in spectrum_files(inputs)] == ["a.h5", "b.h5", "c.tif"]
