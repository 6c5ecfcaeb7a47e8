"""DIALS' files: what is in the real ones, and that what is written is read again."""

import json
import pickle
from dataclasses import replace

import msgpack
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.dials import (
    DialsFlag,
    Experiment,
    read_experiments,
    read_reflections,
    write_experiments,
    write_reflections,
)
from tasks.io.diffraction import Beam, Detector, Geometry, Goniometer, Rotation
from tasks.mx.crystal import Crystal
from tasks.mx.geometry import (
    fixed_rotation,
    rays_to_pixels,
    reciprocal_points,
    rotation_matrix,
    scan_axis,
    setting_rotation,
    to_laboratory,
)

LISTS = (
    "l_cysteine_reference/scaled_20_25.expt",
    "centroid_reference/indexed.expt",
    "centroid_reference/experiments.json",
)
TABLES = ("centroid_reference/indexed.refl", "centroid_reference/integrated.refl")


@pytest.fixture
def geometry():
    return Geometry(
        Beam(0.97, polarisation=0.98),
        Detector(
            np.array([-100.0, 110, -180]),
            np.array([1.0, 0, 0]),
            np.array([0.0, -1, 0]),
            (0.172, 0.172),
            (1679, 1475),
            thickness=0.32,
            absorption=3.6,
            name="PILATUS 2M",
        ),
        Goniometer(
            np.array([[1.0, 0, 0], [0, 0.6, 0.8], [1, 0, 0]]),
            np.array([10.0, 20, 0]),
            2,
            ("phi", "kappa", "omega"),
        ),
        Rotation(-30.0, 0.1, 900, 5),
    )


def alike(one, other):
    for name in ("wavelength", "direction", "polarisation", "polarisation_normal"):
        np.testing.assert_allclose(getattr(one.beam, name), getattr(other.beam, name))
    for name in ("origin", "fast", "slow", "pixel", "shape", "thickness", "absorption", "gain"):
        np.testing.assert_allclose(getattr(one.detector, name), getattr(other.detector, name))
    for turned in (scan_axis, fixed_rotation, setting_rotation):
        np.testing.assert_allclose(turned(one.goniometer), turned(other.goniometer), atol=1e-12)
    assert one.rotation == other.rotation


def test_an_experiment_is_read_as_it_was_written(geometry, tmp_path):
    direct = np.array([[50.0, 1, 2], [3, 60, 4], [5, 6, 70]])
    along = np.linalg.inv(direct) * np.linspace(1, 1.01, 901)[:, None, None]
    crystal = Crystal(np.linalg.inv(direct), "P 21 21 21", along)
    written = (
        Experiment(geometry, crystal, "/data/lyso_1_#####.cbf", "b2f7", 60000.0),
        Experiment(replace(geometry, goniometer=Goniometer())),
    )
    write_experiments(tmp_path / "a.expt", written)
    read = read_experiments(tmp_path / "a.expt")
    for one, other in zip(written, read, strict=True):
        alike(one.geometry, other.geometry)
    first = read[0]
    assert first.template == "/data/lyso_1_#####.cbf"
    assert (first.identifier, first.saturation) == ("b2f7", 60000.0)
    assert first.crystal is not None
    assert first.crystal.space_group == "P 21 21 21"
    np.testing.assert_allclose(first.crystal.a_matrix, crystal.a_matrix)
    np.testing.assert_allclose(first.crystal.a_matrices, along)
    assert read[1].crystal is None


def test_rotations_around_an_axis_become_axes(geometry, tmp_path):
    inside, outside = rotation_matrix(np.array([0, 1.0, 0]), 30), rotation_matrix(np.ones(3), 50)
    path = tmp_path / "a.expt"
    write_experiments(path, [Experiment(replace(geometry, goniometer=Goniometer()))])
    turn = "1.0,\n    0.0,\n    0.0,\n    0.0,\n    1.0,\n    0.0,\n    0.0,\n    0.0,\n    1.0"
    text = path.read_text()
    assert text.count(turn) == 2
    for matrix in (inside, outside):
        text = text.replace(turn, ",".join(map(str, matrix.ravel())), 1)
    path.write_text(text)
    goniometer = read_experiments(path)[0].geometry.goniometer
    np.testing.assert_allclose(fixed_rotation(goniometer), inside, atol=1e-12)
    np.testing.assert_allclose(setting_rotation(goniometer), outside, atol=1e-12)
    np.testing.assert_allclose(scan_axis(goniometer), outside[:, 0], atol=1e-12)


@pytest.mark.parametrize("name", LISTS)
def test_real_lists_are_read_as_they_were_written(real, tmp_path, name):
    listed = read_experiments(real(name))
    write_experiments(tmp_path / "a.expt", listed)
    for one, other in zip(listed, read_experiments(tmp_path / "a.expt"), strict=True):
        alike(one.geometry, other.geometry)
        assert one.crystal is not None
        assert other.crystal is not None
        assert one.crystal.space_group == other.crystal.space_group
        np.testing.assert_allclose(one.crystal.cell, other.crystal.cell)


@pytest.mark.parametrize("name", TABLES)
def test_real_tables_are_written_byte_for_byte(real, tmp_path, name):
    columns = read_reflections(real(name))
    assert "miller_index" in columns
    write_reflections(tmp_path / "a.refl", columns, {0: "b2f7"})
    theirs = msgpack.unpackb(real(name).read_bytes(), strict_map_key=False)[2]["data"]
    magic, version, ours = msgpack.unpackb((tmp_path / "a.refl").read_bytes(), strict_map_key=False)
    assert (magic, version) == ("dials::af::reflection_table", 1)
    assert ours["identifiers"] == {0: "b2f7"}
    assert ours["nrows"] == len(columns["flags"])
    assert set(theirs) - set(ours["data"]) == {"shoebox"}
    for column, packed in ours["data"].items():
        assert packed == theirs[column], column


def test_a_pickled_table_holds_what_dials_predicted(real):
    """Our prediction from DIALS' A, along the sweep, is where DIALS predicted: both are read."""
    table = read_reflections(real("l_cysteine_reference/scaled_20_25.refl"))
    listed = read_experiments(real("l_cysteine_reference/scaled_20_25.expt"))
    lengths = np.linalg.norm(table["s1"], axis=1)
    assert np.sum(np.abs(lengths - 1 / 0.6889) > 1e-6) == 4  # rows that DIALS left empty
    assert len(table["flags"]) == 9972
    is_integrated = (table["flags"] & (DialsFlag.INTEGRATED_SUM | DialsFlag.INTEGRATED_PRF)) != 0
    for number, each in enumerate(listed):
        rows = (table["id"] == number) & is_integrated
        predicted = table["xyzcal.px"][rows]
        assert each.crystal is not None
        points = each.crystal.points(table["miller_index"][rows], predicted[:, 2])
        rays = to_laboratory(each.geometry, points, predicted[:, 2]) + each.geometry.beam.s0
        off = np.abs(rays_to_pixels(each.geometry, rays) - predicted[:, :2])
        assert np.median(off) < 0.001
        assert np.quantile(off, 0.99) < 0.01


def test_reciprocal_points_are_those_of_dials(real):
    geometry = read_experiments(real("centroid_reference/indexed.expt"))[0].geometry
    table = read_reflections(real("centroid_reference/indexed.refl"))
    ours = reciprocal_points(geometry, table["xyzobs.px.value"])
    assert np.abs(ours - table["rlp"]).max() < 1.5e-4


def test_types_follow_from_names_and_numbers(tmp_path):
    columns = {
        "miller_index": np.array([[1, 2, 3], [-1, 0, 4]]),
        "flags": np.array([DialsFlag.STRONG, DialsFlag.INDEXED | DialsFlag.STRONG]),
        "id": np.zeros(2, int),
        "bbox": np.arange(12).reshape(2, 6),
        "xyzobs.px.value": np.arange(6.0).reshape(2, 3),
        "entering": np.array([True, False]),
        "d": np.array([1.5, 2.5], np.float32),
    }
    write_reflections(tmp_path / "a.refl", columns)
    read = read_reflections(tmp_path / "a.refl")
    assert {name: column.dtype.str for name, column in read.items()} == {
        "miller_index": "<i4",
        "flags": "<i8",
        "id": "<i4",
        "bbox": "<i4",
        "xyzobs.px.value": "<f8",
        "entering": "|b1",
        "d": "<f8",
    }
    for name, column in columns.items():
        np.testing.assert_array_equal(read[name], column)


def test_what_cannot_be_written_is_told(tmp_path):
    with pytest.raises(DataError, match=r"\[1, 2\] rows"):
        write_reflections(tmp_path / "a.refl", {"a": np.zeros(1), "b": np.zeros(2)})
    with pytest.raises(DataError, match="'a'"):
        write_reflections(tmp_path / "a.refl", {"a": np.zeros((2, 5))})


class Harm:
    """What a pickle must not be able to do."""

    def __reduce__(self):
        return print, ("harm",)


@pytest.mark.parametrize(
    "content",
    [b"", b"nothing", msgpack.packb(["another", 1, {}]), msgpack.packb(7), pickle.dumps(Harm())],
)
def test_what_is_no_table_is_told(tmp_path, capsys, content):
    (tmp_path / "a.refl").write_bytes(content)
    with pytest.raises(DataError, match="reflection table"):
        read_reflections(tmp_path / "a.refl")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", ["", "[]", '{"experiment": [{"beam": 0}], "beam": []}'])
def test_what_is_no_list_is_told(tmp_path, content):
    (tmp_path / "a.expt").write_text(content)
    with pytest.raises(DataError, match="experiment"):
        read_experiments(tmp_path / "a.expt")


def test_a_detector_of_several_panels_is_refused(geometry, tmp_path):
    path = tmp_path / "a.expt"
    write_experiments(path, [Experiment(geometry)])
    models = json.loads(path.read_text())
    models["detector"][0]["panels"] *= 2
    path.write_text(json.dumps(models))
    with pytest.raises(DataError, match="2 panels"):
        read_experiments(path)
