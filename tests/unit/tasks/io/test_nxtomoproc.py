import json

import h5py
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.nxtomoproc import Scaling, VolumeWriter, chunk_shape, read_recipe, read_slice

RECIPE = {"rotation_axis": None, "filter": "ramp"}
VOLUME = np.random.default_rng(0).normal(1, 0.5, (10, 16, 16)).astype(np.float32)


def write(path, **settings):
    with VolumeWriter(path, VOLUME.shape, 1.3e-6, RECIPE, 7.5, **settings) as writer:
        writer.write(6, VOLUME[6:])
        writer.write(0, VOLUME[:6])
    return path


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_round_trip(tmp_path, compress, axis):
    path = write(tmp_path / "volume.h5", compress=compress)
    np.testing.assert_array_equal(read_slice(path, axis, 3), np.take(VOLUME, 3, axis))


def test_scaled_to_16_bits(tmp_path):
    path = write(tmp_path / "volume.h5", dtype="uint16", limits=(0.0, 2.0))
    expected = np.clip(VOLUME[2], 0, 2)
    np.testing.assert_allclose(read_slice(path, 0, 2), expected, atol=2 / 65535)
    with h5py.File(path) as file:
        data = file["entry/data/data"]
        assert data.dtype == np.uint16
        assert data.attrs["scale_factor"] == pytest.approx(2 / 65535)


def test_what_the_file_tells(tmp_path):
    path = write(tmp_path / "volume.h5", parameters={"confidence": 0.9, "lost": [1, 2]})
    with h5py.File(path) as file:
        assert file["entry/definition"].asstr()[()] == "NXtomoproc"
        assert file["entry/data/data"].attrs["units"] == "1/cm"
        assert list(file["entry/data"].attrs["axes"]) == ["z", "y", "x"]
        assert file["entry/data/x"].attrs["units"] == "m"
        assert np.diff(file["entry/data/x"]) == pytest.approx(1.3e-6)
        assert file["entry/data/x"][8] == 0
        assert file["entry/data/voxel_size"][()] == 1.3e-6
        parameters = file["entry/reconstruction/parameters"]
        assert parameters["rotation_axis"][()] == 7.5
        assert parameters["confidence"][()] == 0.9
        assert json.loads(parameters["lost"].asstr()[()]) == [1, 2]
    assert read_recipe(path) == RECIPE


def test_without_a_voxel_size_axes_are_pixels(tmp_path):
    with VolumeWriter(tmp_path / "v.h5", (2, 4, 4), None, {}, 1.5):
        pass
    with h5py.File(tmp_path / "v.h5") as file:
        assert file["entry/data/x"].attrs["units"] == "pixel"
        assert "voxel_size" not in file["entry/data"]


def test_never_overwrites(tmp_path):
    path = write(tmp_path / "volume.h5")
    with pytest.raises(FileExistsError):
        write(path)


@pytest.mark.parametrize(("start", "shape"), [(8, (3, 16, 16)), (-1, (1, 16, 16)), (0, (1, 8, 16))])
def test_slabs_that_do_not_fit(tmp_path, start, shape):
    with (
        VolumeWriter(tmp_path / "v.h5", VOLUME.shape, None, {}, 1.5) as writer,
        pytest.raises(ValueError, match="do not fit"),
    ):
        writer.write(start, np.zeros(shape, np.float32))


def test_limits_are_needed_and_checked(tmp_path):
    with pytest.raises(ValueError, match="needs limits"):
        VolumeWriter(tmp_path / "v.h5", (1, 1, 1), None, {}, 0, dtype="uint16")
    with pytest.raises(ValueError, match="finite and rise"):
        Scaling.between(1.0, 1.0)


@pytest.mark.parametrize("shape", [(2048, 2048, 2048), (1, 5, 7), (3, 4000, 9000)])
def test_chunks_of_about_2_mib(shape):
    chunks = chunk_shape(shape, 4)
    assert all(1 <= chunk <= size for chunk, size in zip(chunks, shape, strict=True))
    assert np.prod(chunks) * 4 <= 2 * 2**20


def test_no_volume(dxchange):
    with pytest.raises(DataError, match="holds no volume"):
        read_slice(dxchange(), 0, 0)
