"""What is said of a result: a verdict with sentences, and figures that JSON can hold."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flows.xas import report
from flows.xas.recipe import Recipe
from flows.xas.types import (
    Alignment,
    Composition,
    Interpreted,
    Match,
    Opened,
    Result,
    Spectrum,
    Sweeps,
)
from flows.xas.verdict import RULES, judgement, summary
from tasks.io.spectra import ScanReference
from tasks.xas.normalise import Windows

ENERGY = np.linspace(7000.0, 7400.0, 50)
ONE = np.ones((3, 50))


def result(**doubts):
    line = np.ones(50)
    return Result(
        opened=Opened(
            spectra=ScanReference("/raw/scan.dat", "", "columns"),
            sweeps=(),
            shape=(3, 50),
            mode="transmission",
            element="Fe",
            edge="K",
            nominal_e0=7112.0,
            foil="Fe",
            title="",
            metadata={},
            doubts=doubts,
        ),
        alignment=Alignment(np.zeros(3), np.full(3, 0.01), 0.5, 0.02, "kraft", (7000.0, 7400.0)),
        sweeps=Sweeps(ENERGY, ONE, np.full(3, 1e-3), {1: "Sweep 1 is left out: no beam."}),
        spectrum=Spectrum(
            energy=ENERGY,
            mu=line,
            sigma=0 * line,
            norm=line,
            norm_sigma=0 * line,
            flat=line,
            pre_edge=0 * line,
            post_edge=line,
            e0=7120.25,
            edge_step=0.98765,
            edge_step_sigma=1e-3,
            windows=Windows(-100.0, -30.123456, 25.0, 250.0, 2),
            norms=ONE,
            edge_steps=np.ones(3),
        ),
        exafs=None,
        no_exafs="none: the scan ends 280 eV above the edge",
        interpreted=Interpreted(),
        files={"spectrum": Path("x.h5")},
    )


def composition():
    rows = np.full((3, 2), 0.5)
    return Composition(
        names=["FeO", "Fe2O3"],
        ids=["a", "b"],
        library="iron",
        digest="d",
        energy=ENERGY,
        data=ENERGY,
        standards=np.ones((2, 50)),
        fractions=np.array([0.25, 0.75]),
        sigma=np.array([0.01, 0.02]),
        r_factor=1e-5,
        redchi=1.0,
        sweep_fractions=rows,
        sweep_sigma=rows / 100,
        sweep_r_factor=np.ones(3),
    )


def test_a_result_without_doubt_is_ok_and_says_what_was_found():
    judged = judgement(result())
    assert judged.verdict == "ok"
    assert judged.sentences == ["Fe K edge at 7120.25 eV, edge step 0.9877, 2 sweeps."]


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_every_rule_can_doubt(rule):
    judged = judgement(result(**{rule: ("Look at this.",)}))
    assert judged.verdict == "check"
    assert judged.reasons == [{"rule": rule, "reason": "Look at this."}]


def test_doubts_of_all_stages_are_told_in_their_order():
    found = result(sweeps=("first.",))
    found = replace(found, sweeps=replace(found.sweeps, doubts={"sweeps": ("second.",)}))
    assert judgement(found).sentences == ["first.", "second."]


def test_the_summary_names_composition_and_match():
    match = Match(["FeO"], ["a"], [0.1], 0.9, True, "It is FeO.", ENERGY, ENERGY, ENERGY[None])
    told = summary(replace(result(), interpreted=Interpreted(composition(), match=match)))
    assert "75% Fe2O3, 25% FeO." in told
    assert told.endswith(" It is FeO.")


def test_figures_that_are_not_known_are_null_and_not_nan():
    found = result()
    unknown = replace(
        found,
        sweeps=replace(found.sweeps, noise=np.full(3, np.nan)),
        spectrum=replace(found.spectrum, edge_step_sigma=float("nan")),
    )
    figures = json.loads(json.dumps(report.quality(unknown), allow_nan=False))
    assert figures["noise_normalised"] is None
    assert figures["edge_step_sigma"] is None
    assert figures["sweeps"] == 2


def test_metadata_say_what_the_energies_hang_on_and_which_windows_were_used():
    kept = json.loads(json.dumps(report.metadata(Recipe(), result()), allow_nan=False))
    assert kept["energy"] == "+0.50 ± 0.02 eV, by the Fe foil (kraft)"
    assert kept["windows_ev"]["pre2"] == -30.12
    assert kept["exafs"] == "none: the scan ends 280 eV above the edge"
    bare = replace(result(), alignment=replace(result().alignment, table=""))
    bare = replace(bare, opened=replace(bare.opened, foil=None, no_foil="there is no foil"))
    assert report.metadata(Recipe(), bare)["energy"] == "as recorded: there is no foil"
