import h5py
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.probe import probe
from tasks.io.scan import ScanReference, open_scan


def test_entry(dxchange):
    (entry,) = probe(dxchange(measurement__sample__name="tooth", scan_uid="abc"))
    assert (entry.format, entry.kind, entry.inner_path) == ("dxchange", "raw", "")
    assert (entry.present_frames, entry.expected_frames, entry.has_all_frames) == (10, 10, True)
    assert entry.needs == () and entry.problem is None
    assert entry.detector == "6 x 8"
    assert entry.metadata["sample"] == "tooth"
    assert entry.uid == "abc"


def test_scan_reads_rows_of_frames(dxchange):
    with open_scan(ScanReference(str(dxchange()))) as scan:
        assert scan.shape == (10, 6, 8)
        block = scan.projections(slice(2, 4), slice(3, 6))
        assert block.shape == (3, 2, 8)
        assert block[:, :, 0].tolist() == [[23, 33], [24, 34], [25, 35]]
        assert scan.flats(slice(0, 1)).shape == (4, 1, 8)
        assert scan.darks(slice(0, 1)).shape == (2, 1, 8)
        np.testing.assert_allclose(scan.angles, np.deg2rad(np.arange(10) * 18.0))
        assert scan.lost_frames == () and scan.angles_matched


def test_needs_calibrations(dxchange):
    (entry,) = probe(dxchange(exchange__data_white=None, exchange__data_dark=None))
    assert set(entry.needs) == {"flat", "dark"}


def test_calibration_alone(dxchange):
    path = dxchange(exchange__data=None, exchange__theta=None)
    (entry,) = probe(path)
    assert (entry.kind, entry.calibration_kinds) == ("calibration", ("dark", "flat"))
    with open_scan(ScanReference(str(path))) as scan:
        assert (scan.shape, scan.n_flats, scan.n_darks) == ((0, 6, 8), 4, 2)


@pytest.mark.parametrize("offset", [0, 1, 30])
def test_frame_numbers_match_angles(dxchange, offset):
    ids = np.setdiff1d(np.arange(12), [4, 7]) + offset
    path = dxchange(defaults__NDArrayUniqueId=ids, exchange__theta=np.arange(12.0))
    with open_scan(ScanReference(str(path))) as scan:
        assert scan.lost_frames == (4, 7)
        assert scan.expected_projections == 12
        assert np.rad2deg(scan.angles).round().tolist() == [0, 1, 2, 3, 5, 6, 8, 9, 10, 11]


def test_fewer_frames_than_angles_without_numbers(dxchange):
    (entry,) = probe(path := dxchange(exchange__theta=np.arange(12.0)))
    assert not entry.has_all_frames
    with open_scan(ScanReference(str(path))) as scan:
        assert scan.lost_frames == (10, 11) and not scan.angles_matched


def test_angles_from_start_and_step(dxchange):
    rotation = {"start": 5.0, "step": 2.0, "num_angles": 10}
    changes = {f"process__acquisition__rotation__{key}": value for key, value in rotation.items()}
    with open_scan(ScanReference(str(dxchange(exchange__theta=None, **changes)))) as scan:
        assert np.rad2deg(scan.angles[:2]) == pytest.approx([5, 7])


def test_no_angles_is_a_problem(dxchange):
    path = dxchange(exchange__theta=None)
    (entry,) = probe(path)
    assert entry.problem and "/exchange/theta" in entry.problem
    with pytest.raises(DataError, match="gives no angles"):
        open_scan(ScanReference(str(path)))


def test_angles_in_radians(dxchange):
    path = dxchange(exchange__theta=np.linspace(0, np.pi, 10))
    with h5py.File(path, "r+") as file:
        file["exchange/theta"].attrs["units"] = "radians"
    with open_scan(ScanReference(str(path))) as scan:
        assert scan.angles[-1] == pytest.approx(np.pi)


@pytest.mark.parametrize(
    ("value", "unit", "metres"),
    [(0.65, "um", 0.65e-6), (0.65, "micron", 0.65e-6), (2e-3, "mm", 2e-6), (1e-6, "m", 1e-6),
     (0.65, None, 0.65e-6), (6.5e-7, None, 6.5e-7)],
)  # fmt: skip
def test_pixel_size(dxchange, value, unit, metres):
    path = dxchange(measurement__instrument__detector__pixel_size=value)
    if unit:
        with h5py.File(path, "r+") as file:
            file["measurement/instrument/detector/pixel_size"].attrs["units"] = unit
    with open_scan(ScanReference(str(path))) as scan:
        assert scan.pixel_size == pytest.approx(metres)


def test_magnification_makes_pixels_effective(dxchange):
    with open_scan(
        ScanReference(
            str(
                dxchange(
                    measurement__instrument__detector__pixel_size=6.5,
                    measurement__instrument__detection_system__objective__magnification=10,
                )
            )
        )
    ) as scan:
        assert scan.pixel_size == pytest.approx(0.65e-6)


def test_flats_at_their_angles(dxchange):
    path = dxchange(exchange__theta_white=[0.0, 0.0, 162.0, 162.0])
    with open_scan(ScanReference(str(path))) as scan:
        assert scan.flat_positions.tolist() == [0, 0, 1, 1]


def test_frames_of_other_size(dxchange):
    (entry,) = probe(dxchange(exchange__data_white=np.ones((2, 3, 8))))
    assert entry.problem and "another detector setting" in entry.problem


def test_a_stack_must_have_three_dimensions(dxchange):
    (entry,) = probe(dxchange(exchange__data=np.ones((10, 8))))
    assert entry.problem and "(frame, row, column)" in entry.problem


def test_external_link(dxchange, tmp_path):
    target = dxchange("frames.h5")
    path = dxchange("master.h5", exchange__data=h5py.ExternalLink("frames.h5", "exchange/data"))
    (entry,) = probe(path)
    assert entry.linked == (target,) and entry.has_all_frames
    target.unlink()
    (entry,) = probe(path)
    assert entry.missing == (target,) and entry.kind == "raw" and entry.problem is None
    with pytest.raises(DataError, match=r"links to files that are not there: .*frames"):
        open_scan(ScanReference(str(path)))


def test_angles_that_grow_with_the_frames_announce_nothing(dxchange):
    path = dxchange(exchange__theta=None)
    with h5py.File(path, "r+") as file:
        file.create_dataset("exchange/theta", data=np.arange(10.0), maxshape=(None,))
    assert probe(path)[0].needs_quiet
    with h5py.File(path, "r+") as file:
        file["process/acquisition/rotation/num_angles"] = 10
    assert not probe(path)[0].needs_quiet
