"""Grid scans against crystals that were put somewhere."""

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.grid_scan import describe, draw_grid_scan, grid_scan
from tasks.mx.image_figures import image_figures
from tests.unit.tasks.mx.spot_truth import geometry_of

SHAPE = (6, 9)


def raster(centre=(2.4, 5.3), width=1.2, most=40):
    """Images of a raster with a round crystal: the nearer its middle, the more spots."""
    rng = np.random.default_rng(3)
    rows, columns = SHAPE
    images = rng.poisson(1.0, (rows * columns, 160, 160)).astype(np.int32)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        apart = np.hypot(row - centre[0], column - centre[1])
        for _ in range(round(most * np.exp(-0.5 * (apart / width) ** 2))):
            y, x = rng.integers(4, 153, 2)
            image[y : y + 3, x : x + 3] += rng.poisson(40, (3, 3)).astype(np.int32)
    return images


@pytest.fixture(scope="module")
def figures():
    return image_figures(raster(), np.zeros((160, 160), dtype=bool), geometry_of(160, 160, 54))


def test_the_crystal_is_found_where_it_is(figures):
    scan = grid_scan(figures, SHAPE)
    assert scan.best in [(2, 5), (3, 5), (2, 6)]
    assert scan.centre == pytest.approx((2.4, 5.3), abs=0.3)
    assert 4 <= scan.extent.sum() <= 12
    assert scan.extent[scan.best]
    assert "Best at row" in describe(scan)


def test_rows_measured_backwards_are_turned(figures):
    turned = np.concatenate([np.arange(54).reshape(SHAPE)[i][:: (-1) ** i] for i in range(6)])
    snake = grid_scan(figures.take(np.argsort(turned)), SHAPE)
    assert snake.spots.shape == SHAPE
    backwards = grid_scan(figures, SHAPE, snake=True)
    straight = grid_scan(figures, SHAPE)
    np.testing.assert_array_equal(backwards.spots[::2], straight.spots[::2])
    np.testing.assert_array_equal(backwards.spots[1::2], straight.spots[1::2, ::-1])


def test_of_two_crystals_the_middle_of_one_is_taken(figures):
    two = figures.take(np.arange(54))
    spots = np.zeros(SHAPE, dtype=np.int32)
    spots[1, 1], spots[4, 7] = 30, 50
    object.__setattr__(two, "spots", spots.ravel())
    assert grid_scan(two, SHAPE).centre == (4.0, 7.0)


def test_a_part_of_the_raster_and_an_empty_one(figures, tmp_path):
    part = grid_scan(figures.take(np.arange(30)), SHAPE)
    assert np.isnan(part.spots).sum() == 24
    assert part.best is not None
    nothing = grid_scan(figures.take(figures.spots == 0), SHAPE)
    assert nothing.best is None
    assert "Look for the crystal elsewhere" in describe(nothing)
    for scan in (part, nothing):
        assert draw_grid_scan(tmp_path / "grid.png", scan).stat().st_size > 5000


def test_a_single_line_can_be_drawn(figures, tmp_path):
    scan = grid_scan(figures.take(np.arange(18, 27)), (1, 54))
    assert draw_grid_scan(tmp_path / "line.png", scan).exists()


def test_more_images_than_points_are_refused(figures):
    with pytest.raises(DataError, match="a grid of 5 x 9 points has 45"):
        grid_scan(figures, (5, 9))
