"""Which scans of a series can be compared with one another, and why others cannot."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from flows.xas.series.types import Member
from flows.xas.types import Doubts, Floats
from tasks.io.xas.elements import edge_energies
from tasks.io.xas.reduced import ReducedFacts
from tasks.xas.rebin import common_range

Key = TypeVar("Key")
_LEAST_PRE, _LEAST_POST = 20.0, 40.0  # eV about the edge that a scan must cover
_LONG = 0.9  # share of the scans that must reach the ends of the grid
_NAMED = 4  # scans that a sentence names


@dataclass(frozen=True)
class Choice:
    """Scans that are reduced together; the names of others with the reason, by rule."""

    kept: Sequence[Member]
    left_out: Sequence[tuple[str, str]]
    doubts: Doubts

    def keep(self, rule: str, why_not: Callable[[Member], str]) -> "Choice":
        """Leave out those of which the function says why."""
        told = [(each, why_not(each)) for each in self.kept]
        others = [(each.name, why) for each, why in told if why]
        if not others:
            return self
        return Choice(
            [each for each, why in told if not why],
            [*self.left_out, *others],
            added(self.doubts, rule, _left_out(others, len(told))),
        )


def choose(members: Sequence[Member], unreadable: Sequence[tuple[str, str]]) -> Choice:
    """Leave out what cannot be compared with the others.

    Parameters
    ----------
    members : sequence of Member
        In the order in which they were taken.
    unreadable : sequence of (str, str)
        Names of those whose result cannot be read, and why.
    """
    total = len(members) + len(unreadable)
    doubts: Doubts = {"scans": (_left_out(unreadable, total),)} if unreadable else {}
    found = Choice(members, list(unreadable), doubts)
    found = found.keep(
        "scans", lambda each: "it is marked as bad." if each.verdict == "bad" else ""
    )
    element, edge = _most([(each.facts.element, each.facts.edge) for each in found.kept], ("", ""))
    found = found.keep("element", lambda each: _other_edge(each.facts, element, edge))
    found = found.keep("scans", lambda each: _no_use(each.facts))
    if not found.kept:
        return found
    low, high = grid_range(found.kept)
    return found.keep("scans", lambda each: _too_short(each.facts, low, high))


def grid_range(members: Sequence[Member], shift: Floats | None = None) -> tuple[float, float]:
    """Return the range in eV that most scans cover; a few short ones do not cut it for all.

    Parameters
    ----------
    members : sequence of Member
        The scans.
    shift : numpy.ndarray, optional
        eV by which each is moved, (scans,); then the range is what all of them cover.
    """
    ends: Floats = np.array([(each.facts.low, each.facts.high) for each in members])
    if shift is not None:
        return common_range(ends + shift[:, None])
    return common_range(ends, _LONG)


def in_time(members: Sequence[Member]) -> list[Member]:
    """Sort scans by when they began, if all files say so."""
    starts = [each.facts.started_at for each in members]
    if any(start is None for start in starts):
        return list(members)
    order = sorted(range(len(starts)), key=lambda at: (starts[at], at))
    return [members[at] for at in order]


def added(doubts: Doubts, rule: str, sentence: str) -> Doubts:
    """Return doubts with one sentence more."""
    return {**doubts, rule: (*doubts.get(rule, ()), sentence)}


def names_of(names: Sequence[str]) -> str:
    """Name a few scans."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _left_out(others: Sequence[tuple[str, str]], total: int) -> str:
    count, named = len(others), names_of([name for name, _ in others])
    verb = "is" if count == 1 else "are"
    return f"{count} of {total} scans {verb} left out ({named}): {others[0][1]}"


def _most(values: Sequence[Key], default: Key) -> Key:
    """Return the most frequent value, the first of several."""
    return Counter(values).most_common(1)[0][0] if values else default


def _marked(member: Member) -> str:
    return "it is marked as bad." if member.verdict == "bad" else ""


def _other_edge(facts: ReducedFacts, element: str, edge: str) -> str:
    if (facts.element, facts.edge) == (element, edge):
        return ""
    return (
        f"it shows the {facts.element} {facts.edge} edge, the others {element} {edge}. Let each "
        "edge be a series of its own, by a rule for its folder or a template."
    )


def _no_use(facts: ReducedFacts) -> str:
    e0 = edge_energies(facts.element)[facts.edge]
    if facts.low > e0 - _LEAST_PRE or facts.high < e0 + _LEAST_POST:
        return f"it reaches from {facts.low:.0f} to {facts.high:.0f} eV, too little about the edge."
    if not np.isfinite(facts.edge_step) or facts.edge_step <= 0:
        return f"its edge step is {facts.edge_step:.3g}."
    return ""


def _too_short(facts: ReducedFacts, low: float, high: float) -> str:
    if facts.low <= low and facts.high >= high:
        return ""
    return (
        f"it reaches from {facts.low:.0f} to {facts.high:.0f} eV, the others from {low:.0f} to "
        f"{high:.0f} eV."
    )
