"""Blocks of frames from a file, as a worker takes them; dumps and stalls."""

import pickle

import h5py
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.powder import ScanReference
from tasks.pdf.block import Options, dead_frames, fingerprints, integrate_block, integrator_of
from tasks.pdf.geometry import Geometry
from tasks.pdf.integrate import integrate, make_integrator
from tasks.pdf.response import Dark

SHAPE, FRAMES = (120, 140), 12
GEOMETRY = Geometry(0.1, 0.006, 0.007, 0.0, 0.0, 0.0, 1e-4, 1e-4, 0.2, SHAPE)
RNG = np.random.default_rng(1)
MASK = RNG.random(SHAPE) < 0.02
DARK, FLAT = RNG.uniform(10, 12, SHAPE), RNG.uniform(0.9, 1.1, SHAPE)


@pytest.fixture
def frames():
    made = np.random.default_rng(2).poisson(100 * FLAT + DARK, (FRAMES, *SHAPE)).astype(np.int32)
    made[4], made[8] = np.random.default_rng(3).poisson(DARK), made[7]
    return made


@pytest.fixture
def scan(tmp_path, frames):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        detector = entry.create_group("instrument/detector")
        entry["instrument"].attrs["NX_class"] = "NXinstrument"
        detector.attrs["NX_class"] = "NXdetector"
        detector.create_dataset("data", data=frames, chunks=(1, *SHAPE))
        data = entry.create_group("data")
        data.attrs.update({"NX_class": "NXdata", "signal": "data"})
        data["data"] = h5py.SoftLink("/entry/instrument/detector/data")
    return ScanReference(str(path))


@pytest.fixture
def options(tmp_path):
    np.save(tmp_path / "mask.npy", MASK)
    np.save(tmp_path / "dark.npy", np.stack([DARK, DARK * 0.1]))
    np.save(tmp_path / "flat.npy", FLAT)
    names = (str(tmp_path / f"{name}.npy") for name in ("mask", "dark", "flat"))
    return Options(GEOMETRY, *names, bins=60, lowest=0)


def test_blocks_hold_what_the_whole_would(scan, options, frames):
    dark = Dark(DARK, DARK * 0.1)
    made = make_integrator(GEOMETRY, MASK, 60, dark=dark, flat=FLAT, lowest=0)
    whole = integrate(made, frames)
    blocks = [integrate_block(scan, slice(i, i + 5), options, 2) for i in (0, 5, 10)]
    assert [block.first for block in blocks] == [0, 5, 10]
    for name in ("intensity", "sigma"):
        joined = np.concatenate([getattr(block, name) for block in blocks])
        np.testing.assert_allclose(joined, getattr(whole, name), rtol=1e-9)
    np.testing.assert_array_equal(blocks[0].q, whole.q)
    ran = {(record.algorithm, record.implementation) for record in blocks[0].records}
    assert ran == {("pdf.bin_sums", "numba")}


def test_dumps_and_stalls_are_told(scan, options):
    blocks = [integrate_block(scan, slice(i, i + 4), options, 1) for i in (0, 4, 8)]
    found = dead_frames(blocks)
    assert found.dumped == (4,)
    assert found.stalled == (8,)  # the frame before stands in another block


def test_an_order_and_its_result_travel(scan, options):
    assert pickle.loads(pickle.dumps(options)) == options  # noqa: S301 - our own
    block = integrate_block(scan, slice(0, 2), options, 1)
    travelled = pickle.loads(pickle.dumps(block))  # noqa: S301 - our own
    assert travelled.totals.tolist() == block.totals.tolist()


def test_an_integrator_is_kept_until_a_file_changes(options):
    kept = integrator_of(options)
    assert integrator_of(options) is kept
    np.save(options.mask, ~MASK)
    changed = integrator_of(options)
    assert changed.whole[2].sum() == MASK.sum()


def test_fingerprints_tell_frames_apart():
    noise = np.random.default_rng(0).poisson(0.05, (3, 300, 300))
    prints = fingerprints(np.concatenate([noise, noise[:1]]))
    assert len(set(prints.tolist())) == 3
    assert prints[0] == prints[3]


def test_frames_that_are_not_there_are_told(scan, options):
    with pytest.raises(DataError, match="has no frames from"):
        integrate_block(scan, slice(FRAMES, FRAMES + 5), options, 1)


def test_a_pattern_is_not_integrated(tmp_path, options):
    path = tmp_path / "a.xy"
    path.write_text("# Q (1/A)  I\n" + "".join(f"{0.1 * i:.2f} {i + 5}\n" for i in range(50)))
    with pytest.raises(DataError, match="pattern already"):
        integrate_block(ScanReference(str(path)), slice(None), options, 1)
