import numpy as np
import pytest

from infra.simulator.physics import Beam, Camera, Detector, expose_scan

QUIET = Detector(
    read_noise=0, gain_spread=0, ring_columns=0, dead=0, nonlinear=0, zingers=0, noise=False
)


def test_without_noise_flat_correction_gives_the_transmission_back():
    transmission = np.random.default_rng(1).uniform(0.1, 1, (5, 4, 30))
    exposure = expose_scan(transmission, Beam(drift=0), QUIET, flats=(1, 0), darks=1, seed=0)
    flat, dark = exposure.flats_before[0].astype(float), exposure.darks[0].astype(float)
    times = (np.arange(5) + 0.5) / 5
    current = Beam(drift=0).current(times, 5)[:, None, None]
    found = (exposure.projections - dark) / (flat - dark) / current
    np.testing.assert_allclose(found, transmission, atol=1e-4)


def test_counts_scatter_as_photons_do():
    detector = Detector(read_noise=3, gain_spread=0, dead=0, nonlinear=0, zingers=0, ring_columns=0)
    counts = Camera(detector, 10, 50, seed=2).expose(np.full((400, 10, 50), 900.0)).astype(float)
    assert counts.mean() == pytest.approx(1000, abs=1)
    assert counts.var() == pytest.approx(900 + 9, rel=0.03)


def test_rings_come_after_the_first_flats():
    detector = Detector(gain_spread=0, ring_columns=5, ring_strength=0.02, dead=0, nonlinear=0)
    light = np.full((50, 4, 60), 20000.0)
    before = Camera(detector, 4, 60, seed=3).expose(light, before=True)
    after = Camera(detector, 4, 60, seed=3).expose(light)
    ratio = np.median(after, axis=(0, 1)) / np.median(before, axis=(0, 1))
    assert np.sum(np.abs(ratio - 1) > 0.01) == 5


def test_zingers_hit_single_frames():
    detector = Detector(zingers=3, dead=0, nonlinear=0)
    counts = Camera(detector, 20, 60, seed=4).expose(np.full((30, 20, 60), 2000.0))
    hit = counts > 4000
    assert 60 <= hit.sum() <= 120
    assert hit.sum(axis=0).max() <= 2


def test_a_beam_dump_leaves_darkness_and_the_refill_more_light():
    beam = Beam(drift=0, dump_at=0.5, dump_frames=4)
    exposure = expose_scan(np.ones((40, 3, 8)), beam, QUIET, flats=(2, 2), darks=2, seed=5)
    level = exposure.projections.mean(axis=(1, 2)) - 100
    assert np.flatnonzero(level < 1).tolist() == [20, 21, 22, 23]
    assert level[24:].min() > 1.03 * level[:20].max()
    assert exposure.flats_after.mean() > 1.03 * exposure.flats_before.mean()


def test_counts_saturate():
    counts = Camera(QUIET, 2, 2, seed=6).expose(np.full((1, 2, 2), 1e6))
    assert counts.dtype == np.uint16
    assert (counts == 65535).all()


def test_a_camera_keeps_its_pattern_from_scan_to_scan():
    first, second = (Camera(Detector(), 5, 40, seed) for seed in (1, 2))
    other = Camera(Detector(serial_number=2), 5, 40, seed=1)
    np.testing.assert_array_equal(first.gain, second.gain)
    assert not np.array_equal(first.gain, other.gain)
