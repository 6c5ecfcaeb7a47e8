"""What a CT result is judged by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flows.ct.types import CheckedScan, Found
from flows.verdict import Judgement, Rule, judge


@dataclass(frozen=True)
class Evidence:
    """What the rules look at."""

    scan: CheckedScan
    found: Found


def _axis(evidence: Evidence) -> Sequence[str]:
    found = evidence.found
    if found.sought is None or found.certain:
        return ()
    return (found.sought.reason,)


def _scan(doubt: str) -> Callable[[Evidence], Sequence[str]]:
    return lambda evidence: evidence.scan.doubts.get(doubt, ())


# whoever changes what a rule says changes the version
VERSION = "ct/1"
RULES: tuple[Rule[Evidence], ...] = (
    Rule("rotation-axis", "the methods that seek the rotation axis agree", _axis),
    Rule("angles", "the angles are there, grow evenly and span enough", _scan("angles")),
    Rule("pixel-size", "the pixel size is known, so that the unit is 1/cm", _scan("pixel-size")),
    Rule("frames", "it is known which frame belongs to which angle", _scan("frames")),
    Rule("beam", "every projection had beam", lambda evidence: evidence.found.warnings),
)


def judgement(scan: CheckedScan, found: Found) -> Judgement:
    """Judge a result: *check* where the axis is uncertain or something was amiss."""
    return judge(RULES, VERSION, Evidence(scan, found), found.summary)
