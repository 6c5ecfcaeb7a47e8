"""The beam stop's shadow is found where the images have it, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from infra.simulator.mx.cases import CASES
from infra.simulator.mx.plan import Rotation, SweepPlan
from tasks.mx.beam_stop import shadow_limit
from tasks.mx.image_figures import image_figures
from tasks.mx.integrate_block import integrate_block
from tests.unit.tasks.mx.test_integrate import CASES as SWEEPS
from tests.unit.tasks.mx.test_integrate import FULL, reduced
from tests.validate.mx_chain import Chain, geometry_of

IMAGES = 8


def limit(case: str, stop: float) -> tuple[float, float]:
    plan = SweepPlan(rotation=Rotation(10.0, 0.5, IMAGES))
    plan = CASES[case](plan) if case else plan
    plan = replace(plan, detector=replace(plan.detector, stop=stop))
    chain, geometry = Chain(plan), geometry_of(plan)
    figures = image_figures(chain.images, chain.mask, geometry, FULL)
    true = 2 * np.sin(np.arctan(stop / plan.detector.distance) / 2) / plan.beam.wavelength
    return shadow_limit(figures, geometry), float(true)


@pytest.mark.parametrize("case", ["", "icy", "weak", "empty", "inclined"])
@pytest.mark.parametrize("stop", [1.5, 5.0])
def test_its_end_is_found(case, stop):
    found, true = limit(case, stop)
    assert 0 < 1 / found - true < 0.008  # bins have 0.0015 1/A, some lie in gaps between modules


@pytest.mark.parametrize("case", ["", "icy", "weak", "powder", "empty", "bright", "inclined"])
def test_there_is_no_false_alarm(case):
    found, _ = limit(case, 0.0)
    assert found == np.inf


def test_reflections_in_it_are_left_out():
    done = reduced(**SWEEPS["gaussian"])
    given = done.made.geometry, done.made.crystal, done.model, done.made.mask, FULL
    found = integrate_block(done.made.images, 0, *given, block=(0, 60), d_max=8.0)
    whole = integrate_block(done.made.images, 0, *given, block=(0, 60))
    assert len(found)
    assert found.d.max() < 8.0
    assert len(whole) > len(found)
