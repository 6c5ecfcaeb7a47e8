"""Reflection files: what is written is read back, by us and by gemmi."""

from functools import cache

import gemmi
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.diffraction import Rotation
from tasks.mx.amplitude_columns import amplitude_columns
from tasks.mx.merge import merge
from tasks.mx.reflection_files import (
    merged_mtz,
    read_reflection_file,
    unmerged_mtz,
    write_cif,
    write_merged_mtz,
    write_unmerged_mtz,
)
from tasks.mx.scale import scale
from tests.unit.tasks.mx.scale_truth import simulate

WAVELENGTH = 0.9795


@cache
def data():
    found = simulate(images=200, sweeps=2, strength=200.0, outliers=0.01)
    result = scale(found.observations, found.crystal, found.rotations)
    return found, result, merge(result)


def flags(merged):
    return (np.arange(len(merged)) % 20).astype(np.int32)


def test_merged_data_come_back(tmp_path):
    _, _, merged = data()
    columns = amplitude_columns(merged)
    path = write_merged_mtz(
        tmp_path / "merged.mtz",
        merged,
        wavelength=WAVELENGTH,
        amplitudes=columns,
        free=flags(merged),
        title="a crystal",
    )
    found = read_reflection_file(path)
    assert found.merged
    assert found.cell == pytest.approx(merged.cell, rel=1e-6)
    assert found.space_group == "P 43"
    assert found.wavelength == pytest.approx(WAVELENGTH)
    assert np.array_equal(found.hkl, merged.hkl)
    for name, values in {"I(+)": merged.plus, "SIGI(-)": merged.minus_sigma, **columns}.items():
        assert found.columns[name] == pytest.approx(values, rel=1e-5, abs=1e-5, nan_ok=True)
    assert found.intensities()[0] == pytest.approx(merged.intensity, rel=1e-5, abs=1e-5)
    assert np.array_equal(found.free(), flags(merged))


def test_columns_have_the_types_that_programs_look_for():
    _, _, merged = data()
    mtz = merged_mtz(merged, wavelength=WAVELENGTH, amplitudes=amplitude_columns(merged))
    types = {each.label: each.type for each in mtz.columns}
    assert types["IMEAN"] == "J"
    assert types["I(+)"] == "K"
    assert types["F(-)"] == "G"
    assert types["DANO"] == "D"


def test_amplitudes_of_strong_reflections_are_square_roots():
    _, _, merged = data()
    columns = amplitude_columns(merged)
    strong = merged.intensity > 15 * merged.sigma
    assert columns["F"][strong] == pytest.approx(np.sqrt(merged.intensity[strong]), rel=0.01)
    assert np.isnan(columns["DANO"][merged.centric]).all()
    assert (columns["F"][np.isfinite(columns["F"])] > 0).all()


def test_unmerged_data_are_merged_by_gemmi_as_by_us(tmp_path):
    found, result, merged = data()
    path = write_unmerged_mtz(
        tmp_path / "unmerged.mtz", result, found.rotations, wavelength=WAVELENGTH
    )
    mtz = gemmi.read_mtz_file(str(path))
    assert len(mtz.batches) == 400
    assert [mtz.batches[0].number, mtz.batches[-1].number] == [1, 1200]
    assert mtz.batches[3].floats[36] == pytest.approx(1.5)
    peer = gemmi.Intensities()
    peer.import_mtz(mtz)
    peer.remove_systematic_absences()
    peer.merge_in_place(gemmi.DataType.Mean)
    assert np.array_equal(peer.miller_array, merged.hkl)
    assert peer.value_array == pytest.approx(merged.intensity, rel=1e-4, abs=1e-3)
    assert peer.sigma_array == pytest.approx(merged.sigma, rel=1e-4)


def test_unmerged_data_come_back_with_their_own_indices(tmp_path):
    found, result, _ = data()
    path = write_unmerged_mtz(
        tmp_path / "unmerged.mtz", result, found.rotations, wavelength=WAVELENGTH
    )
    again = read_reflection_file(path)
    assert not again.merged
    seen = result.observations.take(result.kept)
    images = np.floor(seen.xyz[:, 2]).astype(int) + 1 + 1000 * seen.sweep
    kept = np.column_stack([seen.hkl, images])
    back = np.column_stack([again.hkl, again.columns["BATCH"].astype(int)])
    assert np.array_equal(np.unique(kept, axis=0), np.unique(back, axis=0))


def test_batches_begin_at_the_first_number_of_the_images():
    _, result, _ = data()
    rotations = [Rotation(0.0, 0.5, 200, 501), Rotation(10.0, 0.5, 200, 1)]
    mtz = unmerged_mtz(result, rotations, wavelength=WAVELENGTH)
    assert [mtz.batches[0].number, mtz.batches[200].number] == [501, 1001]


def test_mmcif_holds_merged_and_unmerged_data(tmp_path):
    found, result, merged = data()
    path = write_cif(
        tmp_path / "data.cif",
        merged_mtz(merged, wavelength=WAVELENGTH, free=flags(merged)),
        unmerged_mtz(result, found.rotations, wavelength=WAVELENGTH),
    )
    again = read_reflection_file(path)
    assert np.array_equal(again.hkl, merged.hkl)
    assert again.space_group == "P 43"
    assert again.wavelength == pytest.approx(WAVELENGTH)
    assert again.intensities()[0] == pytest.approx(merged.intensity, rel=1e-4, abs=1e-3)
    assert np.array_equal(again.free() == 1, flags(merged) == 0)
    block = gemmi.cif.read(str(path)).sole_block()
    assert len(block.find_values("_diffrn_refln.index_h")) == result.kept.sum()


@pytest.mark.parametrize("name", ["damaged.mtz", "damaged.cif"])
def test_a_damaged_file_is_told(tmp_path, name):
    (tmp_path / name).write_bytes(b"MTZ no more than this" * 10)
    with pytest.raises(DataError, match="damaged"):
        read_reflection_file(tmp_path / name)


def test_a_file_that_was_not_copied_whole_is_told(tmp_path):
    _, _, merged = data()
    path = write_merged_mtz(tmp_path / "merged.mtz", merged, wavelength=WAVELENGTH)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(DataError, match="not copied whole"):
        read_reflection_file(path)


def test_a_model_is_no_reflections(tmp_path):
    path = tmp_path / "model.cif"
    path.write_text("data_model\n_cell.length_a 10\n", encoding="utf-8")
    with pytest.raises(DataError, match="no reflections"):
        read_reflection_file(path)
