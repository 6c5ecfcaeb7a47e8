"""Verdicts follow from named rules, and keep the version of the rules."""

from pathlib import Path

import numpy as np

from flows.ct.types import CheckedScan, Found
from flows.ct.verdict import RULES, VERSION, judgement
from flows.verdict import Rule, judge
from tasks.ct.sinograms import ScanSources
from tasks.ct.slab import Axis


def test_the_worst_rule_decides_and_all_doubts_are_kept() -> None:
    rules = (
        Rule[int]("small", "it is large", lambda value: ["too small"] if value < 9 else []),
        Rule[int]("sign", "it is positive", lambda value: ["negative"] if value < 0 else [], "bad"),
    )
    assert judge(rules, "x/1", 10, "all well").verdict == "ok"
    assert judge(rules, "x/1", 10, "all well").reasons == ["all well"]
    assert judge(rules, "x/1", 3, "all well").verdict == "check"
    judged = judge(rules, "x/1", -3, "all well")
    assert (judged.verdict, judged.rules_version) == ("bad", "x/1")
    assert judged.sentences == ["too small", "negative"]
    assert judged.reasons[1] == {"rule": "sign", "reason": "negative"}


def scan(**doubts: tuple[str, ...]) -> CheckedScan:
    return CheckedScan(
        sources=ScanSources.__new__(ScanSources),
        shape=(10, 2, 3),
        rows=(0, 2),
        angles=np.linspace(0, np.pi, 10),
        pixel_size=None,
        metadata={"file": str(Path("a.h5"))},
        doubts={name.replace("_", "-"): found for name, found in doubts.items()},
    )


def test_ct() -> None:
    sure = Found(Axis(1.0, 0.5, 0.0), None)
    assert judgement(scan(), sure).verdict == "ok"
    assert "set by a person" in judgement(scan(), sure).sentences[0]
    doubtful = judgement(scan(pixel_size=("no pixel size",)), sure)
    assert doubtful.reasons == [{"rule": "pixel-size", "reason": "no pixel size"}]
    assert doubtful.rules_version == VERSION
    dark = judgement(scan(), Found(Axis(1.0, 0.5, 0.0), None, (3,), ("one frame is dark",)))
    assert dark.doubts == (("beam", "one frame is dark"),)


def test_the_doubts_of_a_scan_have_their_rules() -> None:
    assert {"angles", "pixel-size", "frames"} <= {rule.name for rule in RULES}
