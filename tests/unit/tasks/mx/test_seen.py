"""What a simulated sweep shows before anybody indexes it."""

from dataclasses import replace

import numpy as np
import pytest

from infra.simulator.mx.plan import Background, Rotation, SweepPlan
from tests.unit.tasks.mx.simulated import looked_at

PLAN = SweepPlan(rotation=Rotation(0.0, 0.5, 8))
CELL = (5.5, 8.2, 12.1, 90.0, 90.0, 90.0)
SMALL = PLAN.of(cell=CELL, space_group="P 21 21 21", d_min=0.9)


def test_a_protein_is_diffraction_and_its_cell_about_right():
    seen, _, spots = looked_at(PLAN)
    assert (seen.kind, seen.sentences, seen.ice) == ("diffraction", (), ())
    assert seen.volume == pytest.approx(78.9**2 * 38.1, rel=0.2)
    assert len(spots) > 1000


def test_ice_beside_a_protein_is_told_not_refused():
    seen, figures, _ = looked_at(replace(PLAN, background=Background(ice=5.0, grains=10)))
    assert seen.kind == "diffraction"
    assert np.allclose(seen.ice[:3], (3.895, 3.66, 3.437), atol=0.01)
    assert "ice at 3.89, 3.66" in seen.sentences[0]
    assert (figures.ice > 0.3).all()


@pytest.mark.parametrize("ice", [0.0, 5.0])
def test_an_empty_loop_shows_nothing(ice):
    background = Background(ice=ice, grains=int(4 * ice))
    seen, _, _ = looked_at(replace(PLAN, subject="empty", background=background))
    assert seen.kind == "no spots"
    assert "crystal in the beam" in seen.sentences[0]
    assert bool(seen.ice) == bool(ice)


def test_a_powder_shows_rings():
    seen, _, _ = looked_at(replace(PLAN, subject="powder"))
    assert seen.kind == "powder rings"
    assert len(seen.rings) >= 3
    assert f"{seen.rings[0]:.2f}" in seen.sentences[0]


def test_a_small_cell_is_told_unless_it_is_wanted():
    plan = replace(SMALL, rotation=Rotation(0.0, 1.0, 20))
    seen, figures, spots = looked_at(plan)
    assert seen.kind == "small cell"
    assert seen.volume == pytest.approx(5.5 * 8.2 * 12.1, rel=0.5)
    assert "small molecule" in seen.sentences[0]
    assert looked_at(plan, smallest_volume=0.0)[0].kind == "diffraction"
    assert len(spots) < 5 * len(figures)
