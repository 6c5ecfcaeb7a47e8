import numpy as np
import pytest

from tasks.errors import DataError
from tasks.xas.grid import at_or_below, checked_grid, nearest

GRID = np.arange(7100.0, 7120.0)


def test_a_point_at_or_below_and_the_nearest_one():
    assert at_or_below(GRID, 7103.9) == 3
    assert at_or_below(GRID, 7104.0) == 4
    assert at_or_below(GRID, 7000.0) == 0
    assert nearest(GRID, 7103.9) == 4
    assert nearest(GRID, 8000.0) == 19


@pytest.mark.parametrize("wrong", [7104.0, np.nan, 7000.0])
def test_energies_that_do_not_increase_are_refused(wrong):
    grid = GRID.copy()
    grid[5] = wrong
    with pytest.raises(DataError, match=r"do not increase from point 4 \(7104"):
        checked_grid(grid)


def test_an_edge_outside_and_a_scan_of_few_points_are_refused():
    with pytest.raises(DataError, match="outside the scan"):
        checked_grid(GRID, 7200.0)
    with pytest.raises(DataError, match="9 points"):
        checked_grid(GRID[:9])
