"""A scan is complete, and another one is being appended to its file: its turn comes."""

import fcntl
import os
import threading
import time
from contextlib import contextmanager

import pytest

from infra.simulator.xas.plan import Scan, SeriesPlan
from infra.simulator.xas.write import write_series
from tasks.errors import StillBeingWritten
from tasks.io import scan
from tasks.io.probe import probe
from tasks.io.spectra import ScanReference, open_spectra

PLAN = SeriesPlan(name="scans", sweeps=2, scan=Scan(points=100))


@contextmanager
def held(path, seconds):
    """Hold the lock of a file as a writer does."""
    file = os.open(path, os.O_RDONLY)
    fcntl.flock(file, fcntl.LOCK_EX)
    release = threading.Timer(seconds, fcntl.flock, (file, fcntl.LOCK_UN))
    release.start()
    try:
        yield
    finally:
        release.cancel()
        os.close(file)


@pytest.fixture
def reference(tmp_path):
    path = write_series(tmp_path, PLAN, "bliss")
    entry = probe(path, technique="xas")[0]
    return ScanReference(str(path), entry.inner_path, entry.format)


def test_a_file_that_is_held_for_a_moment_is_waited_for(reference):
    began = time.monotonic()
    with held(reference.path, 0.5), open_spectra(reference) as spectra:
        assert spectra.shape == (1, 100)
    assert 0.4 < time.monotonic() - began < 5


def test_patience_ends(reference, monkeypatch):
    monkeypatch.setattr(scan, "PATIENCE", 0.3)
    with (
        held(reference.path, 60),
        pytest.raises(StillBeingWritten, match="still held"),
        open_spectra(reference),
    ):
        pass
