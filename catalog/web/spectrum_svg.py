"""Draw a spectrum: absorption against energy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 320  # px, with the margins
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 34
MOST = 2000  # points that are drawn


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where it is, and what it says."""

    at: float
    label: str


@dataclass(frozen=True)
class Plot:
    """Everything that the template needs."""

    width: int
    height: int
    left: int
    bottom: int
    line: str
    energies: list[Tick]
    values: list[Tick]


def draw(energy: Sequence[float], mu: Sequence[float]) -> Plot:
    """Place the points of a spectrum; of very many, every so-manyth is drawn."""
    step = max(1, math.ceil(len(energy) / MOST))
    x = _Axis(min(energy), max(energy), LEFT, WIDTH - RIGHT)
    y = _Axis(min(mu), max(mu), HEIGHT - BOTTOM, TOP)
    points = zip(energy[::step], mu[::step], strict=True)
    return Plot(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        bottom=HEIGHT - BOTTOM,
        line=" ".join(f"{x.place(e):.1f},{y.place(value):.1f}" for e, value in points),
        energies=x.ticks(6),
        values=y.ticks(4),
    )


@dataclass(frozen=True)
class _Axis:
    """A range of values, and between which pixels it is drawn."""

    low: float
    high: float
    first: float
    last: float

    def place(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.first + share * (self.last - self.first)

    def ticks(self, count: int) -> list[Tick]:
        """Return about so many marks at round values (1, 2 or 5 times a power of ten)."""
        rough = (self.high - self.low) / count
        if rough <= 0:
            return [Tick(self.place(self.low), f"{self.low:g}")]
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(nice * power for nice in (1, 2, 5, 10) if nice * power >= rough)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [Tick(self.place(n * step), f"{n * step:.8g}") for n in range(first, last + 1)]
