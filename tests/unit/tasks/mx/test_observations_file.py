"""A sweep's observations come back from their file as they were."""

from dataclasses import fields

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.diffraction import Rotation
from tasks.mx.crystal import Crystal
from tasks.mx.observations_file import SweepObservations, read_observations, write_observations
from tasks.mx.reflections import Observations

RNG = np.random.default_rng(3)
OBSERVATIONS = Observations(
    hkl=RNG.integers(-9, 9, (50, 3)).astype(np.int32),
    intensity=RNG.normal(100, 50, 50),
    sigma=RNG.uniform(1, 5, 50),
    d=RNG.uniform(1.5, 20, 50),
    xyz=RNG.uniform(0, 500, (50, 3)),
    s1=RNG.normal(size=(50, 3)),
    sweep=np.zeros(50, np.int32),
    flags=RNG.integers(0, 8, 50).astype(np.int32),
)


@pytest.mark.parametrize("along", [None, RNG.normal(size=(11, 3, 3))])
def test_what_is_written_is_read(tmp_path, along):
    crystal = Crystal(np.diag([0.01, 0.02, 0.03]), "P 21 21 21", along)
    sweep = SweepObservations(OBSERVATIONS, crystal, Rotation(5.0, -0.1, 10, 3), 0.98, "lysozyme 1")
    write_observations(tmp_path / "a.h5", sweep)
    found = read_observations(tmp_path / "a.h5")
    for each in fields(Observations):
        column, kept = (getattr(s.observations, each.name) for s in (found, sweep))
        np.testing.assert_array_equal(column, kept)
        assert column.dtype == kept.dtype
    assert (found.rotation, found.wavelength, found.name, found.crystal.space_group) == (
        sweep.rotation,
        0.98,
        "lysozyme 1",
        "P 21 21 21",
    )
    np.testing.assert_array_equal(found.crystal.a_matrix, crystal.a_matrix)
    assert (found.crystal.a_matrices is None) == (along is None)


def test_another_file_is_told(tmp_path):
    (tmp_path / "a.h5").write_text("no HDF5")
    with pytest.raises(DataError, match=r"a\.h5 holds no observations"):
        read_observations(tmp_path / "a.h5")
