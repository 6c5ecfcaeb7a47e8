"""A slab from rows on the disk to slices on the disk, against the simulator's truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from infra.simulator import truth
from infra.simulator.phantom import Geometry
from infra.simulator.plan import ScanPlan
from infra.simulator.scan import write_calibration, write_scan
from tasks.ct.sinograms import ScanSources, read_sinograms
from tasks.ct.slab import Axis, SlabOrder, reconstruct_slab
from tasks.errors import DataError
from tasks.io.scan import ScanReference

PLAN = ScanPlan(
    name="slab",
    geometry=Geometry(columns=96, rows=8, projections=181, axis=50.3),
    seed=4,
)


def order(sources: ScanSources, target: Path) -> SlabOrder:
    return SlabOrder(
        sources=sources,
        first=3,
        last=5,
        axis=Axis(column=PLAN.geometry.axis, row=3.5),
        pixel_size_cm=PLAN.geometry.pixel_size * 100,
        filter="ramp",
        stripe_removal="none",
        target=str(target),
    )


def test_slices_show_the_attenuation_that_the_simulator_put_in(tmp_path: Path) -> None:
    path = write_scan(tmp_path, PLAN)
    sources = ScanSources(ScanReference(str(path)))
    result = reconstruct_slab(order(sources, tmp_path / "slab.float32"), cores=1)
    slices = np.asarray(result.slices())
    image = truth.of(PLAN).image(3)
    assert slices.shape == (2, 96, 96)
    inside = image > 0.5 * image.max()
    assert slices[0][inside].mean() == pytest.approx(image[inside].mean(), rel=0.02)
    assert {record.algorithm for record in result.records} >= {"ct.normalise", "ct.reconstruct"}
    assert list(tmp_path.glob("slab.float32.*")) == []


def test_an_order_carried_out_twice_leaves_the_same_slices(tmp_path: Path) -> None:
    sources = ScanSources(ScanReference(str(write_scan(tmp_path, PLAN))))
    first = np.array(reconstruct_slab(order(sources, tmp_path / "slab"), cores=1).slices())
    again = reconstruct_slab(order(sources, tmp_path / "slab"), cores=1).slices()
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("layout", ["dxchange", "nxtomo", "tiff_folder"])
def test_flats_of_their_own_file_serve_like_those_inside(tmp_path: Path, layout: str) -> None:
    for folder in ("inside", "apart"):
        (tmp_path / folder).mkdir()
    plan = replace(PLAN, layout=layout, name=f"scan_{layout}")
    inside = write_scan(tmp_path / "inside", plan)
    without = write_scan(tmp_path / "apart", replace(plan, calibrations_inside=False))
    calibration = ScanReference(
        str(write_calibration(tmp_path / "apart", plan, "flats")), "", layout
    )
    whole = read_sinograms(ScanSources(ScanReference(str(inside))), slice(2, 4))
    linked = read_sinograms(
        ScanSources(
            ScanReference(str(without), "", layout), flats=(calibration,), darks=(calibration,)
        ),
        slice(2, 4),
    )
    assert np.abs(linked - whole).mean() < 0.02


def test_projections_without_beam_are_left_out(tmp_path: Path) -> None:
    reference = ScanReference(str(write_scan(tmp_path, PLAN)))
    sinograms = read_sinograms(ScanSources(reference, left_out=(7, 90)), slice(0, 1))
    assert sinograms.shape == (1, 179, 96)


def test_flats_of_another_detector_setting_are_refused(tmp_path: Path) -> None:
    path = write_scan(tmp_path, replace(PLAN, calibrations_inside=False))
    other = replace(PLAN, geometry=Geometry(columns=64, rows=8, projections=11, axis=31.0))
    flats = ScanReference(str(write_calibration(tmp_path, other, "flats")), "", "dxchange")
    with pytest.raises(DataError, match="another detector setting"):
        read_sinograms(ScanSources(ScanReference(str(path)), (flats,), (flats,)), slice(0, 1))
