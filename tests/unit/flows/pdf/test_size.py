"""How large a total-scattering result will be."""

from flows.pdf.size import output_bytes
from infra.simulator.pdf.write import write_scan
from tasks.io.probe import probe
from tests.unit.flows.pdf.scans import plan

MEGA = 1_000_000


def test_a_pattern_takes_little_and_a_long_series_much() -> None:
    one = output_bytes("1 x 5000", {}, {})
    many = output_bytes("2048 x 2048", {"frames": 1000}, {})
    assert one is not None and many is not None
    assert one < 10 * MEGA
    assert 100 * MEGA < many < 1000 * MEGA


def test_frames_that_are_summed_take_as_much_as_one() -> None:
    summed = output_bytes("", {"frames": 1000}, {"frames": "sum"})
    assert summed == output_bytes("", {"frames": 1}, {})


def test_a_finer_grid_takes_more() -> None:
    usual = output_bytes("", {"frames": 100}, {})
    fine = output_bytes("", {"frames": 100}, {"r_step": 0.001})
    assert usual is not None and fine is not None
    assert fine > 2 * usual


def test_readers_tell_the_number_of_frames(tmp_path) -> None:
    path = write_scan(tmp_path, plan(frames=3))
    (entry,) = probe(path, technique="pdf")
    three = output_bytes(entry.detector, entry.metadata, {})
    assert three == output_bytes("", {"frames": 3}, {})
