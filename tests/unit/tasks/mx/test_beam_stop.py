"""The beam stop's shadow is found where the images have it, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from infra.simulator.mx.cases import CASES
from infra.simulator.mx.plan import Rotation, SweepPlan
from tasks.mx.beam_stop import shadow_limit
from tasks.mx.image_figures import image_figures
from tests.validate.mx_chain import Chain, geometry_of

IMAGES = 8
FULL = 1e6


def limit(case: str, stop: float) -> tuple[float, float]:
    plan = SweepPlan(rotation=Rotation(10.0, 0.5, IMAGES))
    plan = CASES[case](plan) if case else plan
    plan = replace(plan, detector=replace(plan.detector, stop=stop))
    chain, geometry = Chain(plan), geometry_of(plan)
    figures = image_figures(chain.images, chain.mask, geometry, FULL)
    true = 2 * np.sin(np.arctan(stop / plan.detector.distance) / 2) / plan.beam.wavelength
    return shadow_limit(figures, geometry), float(true)


@pytest.mark.parametrize(("case", "stop"), [("icy", 5.0), ("weak", 1.5), ("inclined", 1.5)])
def test_its_end_is_found(case, stop):
    found, true = limit(case, stop)
    assert 0 < 1 / found - true < 0.008  # bins have 0.0015 1/A, some lie in gaps between modules


@pytest.mark.parametrize("case", ["icy", "powder", "bright"])
def test_there_is_no_false_alarm(case):
    found, _ = limit(case, 0.0)
    assert found == np.inf
