import numpy as np
import pytest
from PIL import Image

from tasks.ct.pictures import (
    draw_axis_sweep,
    draw_sinogram,
    draw_slices,
    grey_limits,
    sweep_offsets,
)

RNG = np.random.default_rng(0)


def size_of(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert np.asarray(image.convert("L")).std() > 5, "the picture is empty"
        return image.size


@pytest.mark.parametrize("depth", [2, 60, 300])
def test_slices_of_flat_and_tall_volumes(tmp_path, depth):
    slices = RNG.random((90, 90)), RNG.random((depth, 90)), RNG.random((depth, 90))
    path = draw_slices(tmp_path / "slices.png", *slices, pixel_size=1e-6, title="Zähne")
    width, height = size_of(path)
    assert 1000 < width < 1400
    assert height < 2000


def test_sinogram_and_sweep(tmp_path):
    angles = np.linspace(0, np.pi, 40)
    sinogram = RNG.random((40, 60))
    size_of(draw_sinogram(tmp_path / "sinogram.png", sinogram, angles, 29.4, row=3, title="a"))
    offsets = sweep_offsets(60)
    assert offsets == [-2, -1, -0.5, 0, 0.5, 1, 2]
    axes = [29.4 + offset for offset in offsets]
    slices = [RNG.random((60, 60)) for _ in axes]
    size_of(draw_axis_sweep(tmp_path / "sweep.png", slices, axes, 29.4, row=3, title="a"))


def test_limits_ignore_outliers_and_what_was_not_measured():
    slice_ = RNG.normal(5, 0.1, (300, 300))
    slice_[:100] = 0
    slice_[200, 200] = 1e6
    low, high = grey_limits(slice_)
    assert 4.4 < low < 5 < high < 5.6
    assert grey_limits(np.zeros((3, 3))) == (0, 1)
