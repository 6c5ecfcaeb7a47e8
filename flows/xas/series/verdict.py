"""What the result of an XAS series is judged by."""

from collections.abc import Callable, Sequence

from flows.verdict import Judgement, Rule, judge
from flows.xas.series.types import Result
from flows.xas.types import Composition


def _doubts(rule: str) -> Callable[[Result], Sequence[str]]:
    return lambda result: result.doubts.get(rule, ())


# whoever changes what a rule says changes the version
VERSION = "xas-series/1"
ABOUT = {
    "scans": "all scans of the series have a result that can be compared with the others",
    "element": "all scans show the same edge of the same element",
    "energy": "the energies of all scans are on one scale, and none was moved unlike the others",
    "range": "there is enough before and after the edge to normalise",
    "edge-step": "the edge steps are positive, and well above their uncertainty",
    "combination": "the standards describe all scans within their noise: no component is missing",
}
RULES: tuple[Rule[Result], ...] = tuple(
    Rule(name, about, _doubts(name)) for name, about in ABOUT.items()
)
_MENTIONED = 0.005


def judgement(result: Result) -> Judgement:
    """Judge a result: *check* where anything is uncertain or was amiss."""
    return judge(RULES, VERSION, result, summary(result))


def summary(result: Result) -> str:
    """Say in one line what was found."""
    opened, kept, axis = result.gridded.opened, result.members.kept, result.members.axis
    within = f" in {axis.values[-1]:.3g} {axis.unit}" if axis.unit else ""
    parts = [f"{len(kept)} scans of the {opened.element} {opened.edge} edge{within}"]
    composition, components = (
        result.explained.interpreted.composition,
        result.explained.interpreted.components,
    )
    if composition is not None:
        parts.append(changes(composition))
    if components is not None:
        parts.append(f"{components.by_noise} components by the noise")
    return "; ".join(parts) + "."


def changes(composition: Composition) -> str:
    """Say how much of each standard there is in the first and in the last scan."""
    first, last = composition.sweep_fractions[[0, -1]]
    told = [
        f"{name} {begin:.0%} to {end:.0%}"
        for name, begin, end in zip(composition.names, first, last, strict=True)
        if max(begin, end) > _MENTIONED
    ]
    return ", ".join(told) or "none of the standards in it"
