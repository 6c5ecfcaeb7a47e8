"""What merged sweeps are judged by."""

from collections.abc import Callable, Sequence

from flows.mx.series.types import Result
from flows.mx.verdict import merged_summary
from flows.verdict import Judgement, Rule, judge


def _doubts(rule: str) -> Callable[[Result], Sequence[str]]:
    return lambda result: result.doubts.get(rule, ())


# whoever changes what a rule says changes the version
VERSION = "mx-series/1"
ABOUT = {
    "sweeps": "all sweeps belong together",
    "symmetry": "the data decide on the space group",
    "completeness": "enough of the unique reflections were measured",
    "scaling": "few observations are outliers, and all sweeps are connected",
    "intensities": "no sign of twinning, pseudo-translation or radiation damage",
    "resolution": "there is signal",
    "structure": "a model was found where one was asked for, and its R factors are fair",
}
RULES: tuple[Rule[Result], ...] = tuple(
    Rule(name, about, _doubts(name)) for name, about in ABOUT.items()
)


def judgement(result: Result) -> Judgement:
    """Judge a result: *check* where anything is uncertain or was amiss."""
    return judge(RULES, VERSION, result, summary(result))


def summary(result: Result) -> str:
    """Say in one line what was found."""
    return f"{len(result.members.sweeps)} sweeps: {merged_summary(result.reduced, result.solved)}."
