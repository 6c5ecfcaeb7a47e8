"""A schedule is drawn by its seed alone, and holds every kind in its share."""

from collections import Counter
from itertools import islice

import pytest

from tests.chaos.faults import KINDS
from tests.chaos.schedule import draw_faults, draw_ways

SHARES = {name: kind.share for name, kind in KINDS.items()}


def test_a_seed_draws_the_same_again():
    assert draw_faults(7, SHARES, 60) == draw_faults(7, SHARES, 60)
    assert draw_faults(7, SHARES, 60) != draw_faults(8, SHARES, 60)
    ways = ["a", "b", "c"]
    assert list(islice(draw_ways(7, ways, 1.0), 50)) == list(islice(draw_ways(7, ways, 1.0), 50))


def test_a_full_schedule_has_fifty_faults_and_every_kind_in_its_share():
    full = sum(SHARES.values())
    assert full >= 50
    assert Counter(draw_faults(3, SHARES, full)) == SHARES


def test_scans_come_at_the_mean_pause():
    drawn = list(islice(draw_ways(11, ["a"], 2.0), 5000))
    assert sum(pause for pause, _ in drawn) / len(drawn) == pytest.approx(2.0, rel=0.05)
