"""A schedule that a seed draws: which fault follows which, and which scan comes in which way."""

from collections.abc import Iterator, Sequence
from random import Random


def luck(seed: int) -> Random:
    """Return luck that can be repeated."""
    return Random(seed)  # noqa: S311


def draw_faults(seed: int, shares: dict[str, int], number: int) -> list[str]:
    """Draw the order of the faults.

    All kinds in their shares, in an order of luck; a shorter schedule is the begin of it, a longer
    one goes round again.
    """
    chance = luck(seed)
    drawn: list[str] = []
    while len(drawn) < number:
        round_ = [kind for kind, share in shares.items() for _ in range(share)]
        chance.shuffle(round_)
        drawn += round_
    return drawn[:number]


def draw_ways(seed: int, ways: Sequence[str], seconds: float) -> Iterator[tuple[float, str]]:
    """Draw, without end, how long after the last one a scan comes and in which way.

    Most come alone, some in a quick row; the mean pause is as given.
    """
    chance = luck(seed + 1)
    while True:
        row = 1 if chance.random() < 0.8 else chance.randint(2, 6)
        way = chance.choice(ways)
        yield chance.uniform(0.2, 1.8) * seconds * row, way
        for _ in range(row - 1):
            yield 0.0, way
