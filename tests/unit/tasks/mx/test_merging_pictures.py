"""Pictures of merging are drawn; what they show by image is right."""

import numpy as np
import pytest
from PIL import Image

from tasks.mx.merge import merge
from tasks.mx.merging_pictures import draw_along, draw_resolution, draw_wilson, merging_by_image
from tasks.mx.merging_statistics import statistics
from tasks.mx.resolution_cut import resolution_cut
from tasks.mx.scale import scale
from tests.unit.tasks.mx.scale_truth import simulate


@pytest.fixture(scope="module")
def scaled():
    found = simulate(images=200, sweeps=2, strength=100.0)
    seen = found.observations
    wrong = (seen.sweep == 1) & (np.abs(seen.xyz[:, 2] - 100.5) < 0.5)
    seen.intensity[wrong] *= np.random.default_rng(0).uniform(0.7, 1.4, wrong.sum())
    return scale(seen, found.crystal, found.rotations)


def test_pictures_are_drawn(tmp_path, scaled):
    merged = merge(scaled)
    cut = resolution_cut(merged)
    for path in (
        draw_resolution(tmp_path / "a.png", statistics(scaled), cut, "crystal"),
        draw_wilson(tmp_path / "b.png", merged, "crystal", b=20.0),
        draw_along(tmp_path / "c.png", scaled, "crystal"),
    ):
        with Image.open(path) as image:
            assert min(image.size) > 300
            assert np.asarray(image.convert("L")).std() > 10


def test_a_spoilt_image_stands_out(scaled):
    image, disagreement = merging_by_image(scaled, 1)
    assert image[np.argmax(disagreement)] == 100.5
