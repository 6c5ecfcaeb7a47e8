"""What is said of a result: a verdict with sentences, and figures that JSON can hold."""

import json
from dataclasses import replace

import numpy as np
import pytest

from flows.pdf import report
from flows.pdf.found import Interpreted, Result
from flows.pdf.recipe import Recipe
from flows.pdf.types import Corrected, Curves, Opened, Patterns, Sample, Transformed
from flows.pdf.verdict import RULES, judgement, summary
from tasks.io.scan import ScanReference
from tasks.pdf.composition import parse
from tasks.pdf.structure_fit import StructureFit

Q = np.linspace(0.7, 24.0, 100)
R = np.linspace(0.0, 20.0, 200)
LINE = np.ones(100)


def curves(mode="compatible"):
    return Curves(
        mode=mode,
        q=Q,
        s=LINE,
        s_sigma=0.1 * LINE,
        f=LINE,
        f_sigma=0.1 * LINE,
        r=R,
        g=np.exp(-((R - 2.5) ** 2)),
        g_sigma=np.full(200, 0.01),
        each_f=LINE[None],
        each_f_sigma=LINE[None],
        each_g=R[None],
        each_g_sigma=R[None],
        qmin=0.7,
        qmax=21.4567,
        details={"a": np.array([0.43, 0.5]), "nf": 6.67, "slow": np.zeros((2, 3))},
    )


def result(**doubts):
    sample = Sample(parse("Ni"), "Ni", 8.9, said_by={"composition": "recipe"})
    return Result(
        opened=Opened(
            data=ScanReference("/raw/scan.xye", "", "powder_pattern"),
            shape=(1, 1, 100),
            wavelength=0.17,
            geometry=None,
            sample=sample,
            calibrations={},
            title="",
            metadata={"powder_kind": "sample"},
            doubts=doubts,
        ),
        patterns=Patterns(Q, LINE[None], 0.01 * LINE[None]),
        corrected=Corrected(
            q=Q,
            frames=np.array([0]),
            intensity=LINE[None],
            sigma=0.01 * LINE[None],
            merged=LINE,
            merged_sigma=0.01 * LINE,
            measured=1.5 * LINE,
            background=0.5 * LINE,
            background_kind="container",
            scaled_by="monitor",
            scale=0.98765,
        ),
        transformed=Transformed((curves(), curves("absolute"))),
        interpreted=Interpreted(),
    )


def fit():
    return StructureFit(
        structures=("Ni",),
        parameters={"a": 3.52387, "scale": 0.4},
        sigma={"a": 0.0004, "scale": float("nan")},
        covariance=np.eye(2),
        rw=0.0853,
        chi2=None,
        independent=100.0,
        r=R,
        observed=R,
        calculated=R,
        converged=True,
        at_bound=(),
        scattering=(28.0,),
        remarks=(),
    )


def test_a_result_without_doubt_is_ok_and_says_what_was_found():
    judged = judgement(result())
    assert (judged.verdict, judged.rules_version) == ("ok", "pdf/1")
    assert judged.sentences == [
        "1 frame, Q 0.70 to 24.00 1/Å; G(r) of Ni, Q from 0.70 to 21.46 1/Å."
    ]


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_every_rule_can_doubt(rule):
    judged = judgement(result(**{rule: ("Look at this.",)}))
    assert judged.verdict == "check"
    assert judged.reasons == [{"rule": rule, "reason": "Look at this."}]


def test_doubts_of_all_stages_are_told_in_their_order():
    found = result(background=("first.",))
    found = replace(found, corrected=replace(found.corrected, doubts={"background": ("second.",)}))
    assert judgement(found).sentences == ["first.", "second."]


def test_a_result_that_ends_at_the_intensity_says_why():
    found = replace(result(), transformed=Transformed(ends_at="the composition is not known"))
    assert summary(found).endswith("ends at I(Q): the composition is not known.")
    assert report.metadata(Recipe(), found)["curves"] == ["I(Q)"]
    assert "qmax_per_angstrom" not in report.quality(found)


def test_the_summary_and_the_figures_name_the_structure():
    found = replace(result(), interpreted=Interpreted(fits=(fit(),)))
    assert summary(found).endswith("Ni Rw 0.085.")
    figures = json.loads(json.dumps(report.quality(found), allow_nan=False))
    assert figures["structures"]["Ni"]["a"] == {"value": 3.52387, "sigma": 0.0004}
    assert figures["structures"]["Ni"]["scale"]["sigma"] is None


def test_figures_are_of_the_merged_pattern_and_hold_units_in_their_names():
    figures = json.loads(json.dumps(report.quality(result()), allow_nan=False))
    assert figures["compatible_a"] == 0.43
    assert figures["qmax_per_angstrom"] == 21.457
    assert figures["largest_peak_angstrom"] == pytest.approx(2.5, abs=0.1)
    assert figures["background_share"] == pytest.approx(1 / 3, abs=1e-3)
    assert figures["noise_of_intensity"] == 0.01


def test_metadata_say_what_the_curves_hang_on():
    kept = json.loads(json.dumps(report.metadata(Recipe(qmax=21.0), result()), allow_nan=False))
    assert kept["modes"] == ["compatible", "absolute"]
    assert kept["transform"][0]["qmax_by"] == "recipe"
    assert kept["transform"][0]["nf"] == 6.67
    assert kept["transform"][1]["rpoly"] is None
    assert kept["background"]["scaled_by"] == "monitor"
    assert kept["said_by"] == {"composition": "recipe"}
