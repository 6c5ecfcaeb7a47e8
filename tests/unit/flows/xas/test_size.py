"""How large an XAS result will be."""

from flows.xas.size import output_bytes

MEGA = 1_000_000


def test_a_scan_takes_little_and_a_long_series_much() -> None:
    one = output_bytes("", {"sweeps": 1, "points": 400}, {})
    many = output_bytes("", {"sweeps": 100_000, "points": 800}, {})
    assert one is not None and many is not None
    assert one < 5 * MEGA
    # 8 bytes a point of results that stay, 24 that go
    assert 1500 * MEGA < many < 4000 * MEGA


def test_a_stream_holds_as_many_sweeps_as_its_points_allow() -> None:
    stream = output_bytes("", {"sweeps": 1, "points": 500_000}, {})
    assert stream == output_bytes("", {"sweeps": 1000, "points": 500}, {})


def test_without_a_number_of_sweeps_nobody_knows() -> None:
    assert output_bytes("", {}, {}) is None
