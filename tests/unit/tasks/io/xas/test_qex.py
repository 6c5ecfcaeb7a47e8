"""Streams of PSI, from a writer of our own and from the simulator."""

import re
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


def as_acquired(path, *, names="CH {}", extra=()):
    """Keep what the acquisition writes: no element, no crystal, channels by number."""
    content = path.read_bytes()
    begin = int(re.search(rb"FileHeaderSize_byte: (\d+)", content)[1])
    lines = [
        line for line in content[:begin].decode().splitlines()
        if re.match(r"# (File|Start|Adc|Data)", line)
    ]  # fmt: skip
    labels = ", ".join(["Encoder", "Time", *(names.format(at) for at in range(4))])
    lines = [re.sub(r"(DataLineLabels): .*", rf"\1: {labels}", line) for line in lines]
    text = "".join(f"{line}\r\n" for line in [*lines, *extra, "# _Header_End_"])
    # the acquisition fills its header up with blanks
    text = re.sub(r"(FileHeaderSize_byte): \d+", r"\1: 004096", text)
    path.write_bytes(text.encode("cp1252").ljust(4096) + content[begin:])


@pytest.fixture
def series(tmp_path):
    """A stream of the simulator, and its channels as they should be read."""
    plan = replace(SeriesPlan(), sweeps=4, scan=Scan(points=90))
    path = write_series(tmp_path, plan, "qex")
    blocks = [each.signals for each in Series(plan).blocks()]
    return path, {name: np.concatenate([each[name] for each in blocks]).ravel() * 5e-6
                  for name in ("i0", "itrans", "irefer", "ifluor")}  # fmt: skip


@pytest.mark.parametrize("names", ["CH {}", "Channel_{}", "{}"])
def test_the_header_of_the_acquisition_alone(series, opened, tmp_path, names) -> None:
    path, truth = series
    with opened(path) as spectra:
        before, facts = spectra.read(), spectra.facts
        assert spectra.warnings == ()
    as_acquired(path, names=names)
    (tmp_path / "qex.cfg").write_text("d_spacing: 3.13551 A\nelement = Fe\n")
    with opened(path) as spectra:
        after = spectra.read()
        assert spectra.facts.started_at == facts.started_at
        assert (spectra.facts.element, spectra.facts.mode) == ("Fe", None)
        assert any("d_spacing 3.13551 A, element Fe" in each for each in spectra.warnings)
        assert any("i0, itrans, irefer, ifluor" in each for each in spectra.warnings)
    for channel, name in {"i0": "i0", "i1": "itrans", "i2": "irefer"}.items():
        np.testing.assert_allclose(getattr(after, channel)[0], truth[name], rtol=1e-6)
    np.testing.assert_allclose(after.fluorescence[0, 0], truth["ifluor"], rtol=1e-6)
    assert np.array_equal(after.energy, before.energy)
    assert np.array_equal(after.count_time, before.count_time)
    np.testing.assert_allclose(after.count_time.sum(), 4 * 0.5, rtol=1e-4)


def test_without_a_crystal_it_is_told_where_to_write_it(series) -> None:
    path, _ = series
    as_acquired(path)
    with pytest.raises(DataError, match=r"such as 'crystal: Si\(111\)' into a file qex\.cfg"):
        probe(path, technique="xas")


def test_the_settings_beside_name_other_channels(series, raw, tmp_path) -> None:
    path, truth = series
    as_acquired(path, extra=["# Operator: M\xfcller"])
    (tmp_path / "qex.cfg").write_text("crystal: Si(111)\nchannels: ifluor, i0, spare, itrans\n")
    found = raw(path)
    np.testing.assert_allclose(found.i1[0], truth["ifluor"], rtol=1e-6)
    np.testing.assert_allclose(found.i0[0], truth["itrans"], rtol=1e-6)


def test_the_header_counts_before_the_settings(series, opened, tmp_path) -> None:
    (tmp_path / "qex.cfg").write_text("crystal: Si(311)\nelement: Cu\n")
    with opened(series[0]) as spectra:
        assert spectra.facts.element == "Fe" and spectra.read().energy.min() < 7000


def test_a_header_that_contradicts_itself(series) -> None:
    path, _ = series
    as_acquired(path)
    content = path.read_bytes().replace(b"ChannelsStored: 4", b"ChannelsStored: 9")
    path.write_bytes(content)
    with pytest.raises(DataError, match="stores 9 channels but names 6"):
        probe(path, technique="xas")


@pytest.mark.parametrize("text", ["17.1.2026, 9:30:00", "2026/01/17 09:30:00", "2026-01-17T09:30"])
def test_the_start_is_told_in_several_ways(tmp_path, opened, text) -> None:
    write(tmp_path / "a.qex", StartOfMeasurement=text)
    with opened(tmp_path / "a.qex") as spectra:
        assert spectra.facts.started_at.isoformat() == "2026-01-17T09:30:00+00:00"
