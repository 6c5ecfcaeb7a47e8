"""Streams of PSI, from a writer of our own and from the simulator."""

from dataclasses import replace

import numpy as np
import pytest

from infra.simulator.xas.plan import Scan, SeriesPlan
from infra.simulator.xas.series import Series
from infra.simulator.xas.write import write_series
from tasks.errors import DataError
from tasks.io.probe import probe

HEADER = {"channels": "i0 itrans irefer", "d_spacing": "3.1356 A", "element": "Cu", "edge": "K"}


def write(path, count=1000, **changes):
    """Write a stream as the format is described: text, a mark, records without gaps."""
    fields = {name: value for name, value in (HEADER | changes).items() if value is not None}
    text = "".join(f"{name}: {value}\n" for name, value in fields.items()) + "_Header_End_\n"
    kinds = [("encoder", "<f4"), ("time", "<u2"), ("a", "<f4"), ("b", "<f4"), ("c", "<f4")]
    records = np.zeros(count, kinds)
    records["encoder"] = 12.7 + 0.5 * np.sin(np.arange(count) / 50)
    records["time"] = np.arange(count) % 65536
    for number, name in enumerate("abc"):
        records[name] = 100 * number + np.arange(count) / count
    path.write_bytes(text.encode() + records.tobytes())
    return records


def test_a_stream_is_read_in_pieces(tmp_path, opened):
    records = write(tmp_path / "a.qex", encoder_offset="0.1", dark_i0="0.25")
    with opened(tmp_path / "a.qex") as spectra:
        assert spectra.is_stream and spectra.shape == (1, 1000)
        assert (spectra.facts.element, spectra.facts.mode) == ("Cu", "transmission")
        part = spectra.read(points=slice(200, 300))
    angle = np.deg2rad(records["encoder"][200:300].astype(float) + 0.1)
    expected = 12398.419843 / (2 * 3.1356 * np.sin(angle))
    np.testing.assert_allclose(part.energy[0], expected, rtol=1e-9)
    for channel, name in {"i0": "a", "i1": "b", "i2": "c"}.items():
        assert np.array_equal(getattr(part, channel)[0], records[name][200:300])
    assert part.dark == {"i0": 0.25}
    (entry,) = probe(tmp_path / "a.qex", technique="xas")
    assert entry.needs_quiet and entry.present_frames == 1000 and entry.expected_frames is None


def test_a_stream_that_ends_within_a_record(tmp_path, opened):
    write(tmp_path / "a.qex")
    with (tmp_path / "a.qex").open("ab") as file:
        file.write(b"\x00" * 7)
    with opened(tmp_path / "a.qex") as spectra:
        assert spectra.shape == (1, 1000) and "ends within a record" in spectra.warnings[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": None}, "neither 'DataLineLabels' nor 'channels'"),
        ({"d_spacing": None}, "neither 'd_spacing' nor 'crystal'"),
        ({"channels": "a b c"}, "The labels are 'a', 'b', 'c'"),
        ({"DataLineFormat": "float32, uint16, float32"}, "its header is damaged or unknown"),
    ],
)
def test_headers_that_do_not_tell_enough(tmp_path, changes, words):
    write(tmp_path / "a.qex", **changes)
    with pytest.raises(DataError, match=words):
        probe(tmp_path / "a.qex", technique="xas")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\x01" * 99, "has no '_Header_End_'"), (b"channels: i0\n_Header_End_\n", "no records")],
)
def test_damaged_streams(tmp_path, content, words):
    (tmp_path / "a.qex").write_bytes(content)
    with pytest.raises(DataError, match=words):
        probe(tmp_path / "a.qex", technique="xas")


def test_the_crystal_tells_as_well(tmp_path, raw):
    write(tmp_path / "a.qex", d_spacing=None, crystal="Si(311)")
    write(tmp_path / "b.qex", d_spacing="1.637514")
    np.testing.assert_allclose(
        raw(tmp_path / "a.qex").energy, raw(tmp_path / "b.qex").energy, rtol=1e-5
    )


def test_streams_of_the_simulator(tmp_path, opened):
    plan = replace(SeriesPlan(), sweeps=4, scan=Scan(points=90))
    path = write_series(tmp_path, plan, "qex")
    truth = np.concatenate([each.signals["energy"] for each in Series(plan).blocks()]).ravel()
    with opened(path) as spectra:
        assert spectra.is_stream and spectra.shape == (1, 360)
        assert spectra.facts.element == plan.element
        # the encoder is a 4-byte float: 1e-6 degree are 0.01 eV
        np.testing.assert_allclose(spectra.read().energy[0], truth, atol=0.05)
