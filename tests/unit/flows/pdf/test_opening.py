"""What a scan is, told from files as beamlines write them: axis, geometry, wavelength."""

import json
from dataclasses import replace

import numpy as np
import pytest

from flows.pdf.opening import open_scan
from flows.pdf.recipe import Recipe
from infra.simulator.pdf import poni
from infra.simulator.pdf.write import write_scan
from tasks.errors import DataError
from tests.unit.flows.pdf.scans import claim, plan, with_geometry


@pytest.fixture
def columns(tmp_path):
    """Write a pattern with a header, or none."""

    def write(header="", last=40.0):
        x = np.linspace(1.0, last, 200)
        path = tmp_path / "scan.xye"
        np.savetxt(path, np.column_stack([x, 50 + x, 0.1 + 0 * x]), header=header)
        return claim((path, "data", "powder_pattern"))

    return write


def test_a_pattern_without_a_unit_is_refused_unless_the_recipe_says_it(columns):
    bare = columns()
    with pytest.raises(DataError, match=r"does not say what its first column is \(from 1 to 40\)"):
        open_scan(Recipe(), bare)
    told = open_scan(Recipe(axis_unit="tth_deg", wavelength=0.2), bare)
    assert (told.is_image, told.wavelength, told.metadata["axis_unit"]) == (False, 0.2, "tth_deg")


def test_angles_need_a_wavelength_and_q_does_not(columns):
    with pytest.raises(DataError, match="against 2θ and nothing says the wavelength"):
        open_scan(Recipe(), columns("2theta(deg) I sigma"))
    assert open_scan(Recipe(), columns("Q(1/A) I sigma")).wavelength is None


def test_a_unit_that_cannot_be_is_refused(columns):
    with pytest.raises(DataError, match="goes to 200, which q_1/angstrom cannot"):
        open_scan(Recipe(axis_unit="q_1/angstrom"), columns(last=200.0))


def test_images_without_a_geometry_are_refused(tmp_path):
    path = write_scan(tmp_path, plan())
    with pytest.raises(DataError, match=r"no geometry for these images: put a \.poni beside"):
        open_scan(Recipe(), claim((path, "data")))


def test_images_with_a_geometry_tell_all_that_is_needed(tmp_path):
    opened = open_scan(Recipe(orientation=2), with_geometry(tmp_path, plan(), "container"))
    assert opened.is_image
    assert opened.geometry.orientation == 2
    assert (
        opened.wavelength == opened.geometry.wavelength == pytest.approx(plan().geometry.wavelength)
    )
    assert (opened.sample.formula, opened.sample.container.material) == ("Ni", "kapton")
    assert [len(opened.calibrations[kind]) for kind in ("container", "geometry", "dark")] == [
        1,
        1,
        0,
    ]


def test_a_geometry_of_another_detector_is_refused(tmp_path):
    other = plan()
    other = replace(other, geometry=replace(other.geometry, rows=other.geometry.rows // 2))
    scan = write_scan(tmp_path, plan())
    claimed = claim((scan, "data"), (poni.write(tmp_path, other), "geometry"))
    with pytest.raises(DataError, match="belongs to another detector"):
        open_scan(Recipe(), claimed)


def test_a_geometry_of_another_wavelength_is_refused_unless_the_recipe_decides(tmp_path):
    scan = plan()
    path = write_scan(tmp_path, scan)
    geometry = poni.write(tmp_path, scan)
    told = geometry.read_text().replace(
        f"Wavelength: {scan.geometry.wavelength * 1e-10!r}", "Wavelength: 2.2e-11"
    )
    geometry.write_text(told)
    claimed = claim((path, "data"), (geometry, "geometry"))
    with pytest.raises(DataError, match=r"calibrated at 0\.22 Å, but the data were taken at"):
        open_scan(Recipe(), claimed)
    opened = open_scan(Recipe(wavelength=0.22), claimed)
    assert opened.geometry.wavelength == 0.22
    assert "The recipe's wavelength of 0.22 Å is used" in opened.doubts["geometry"][0]


def test_a_sidecar_may_bring_the_geometry(tmp_path):
    scan = plan()
    path = write_scan(tmp_path, scan)
    lines = poni.write(tmp_path, scan).read_text().splitlines()
    words = dict(line.split(": ", 1) for line in lines if not line.startswith("#"))
    for told in (words, "\n".join(lines)):
        path.with_suffix(".json").write_text(json.dumps({"geometry": told}))
        opened = open_scan(Recipe(), claim((path, "data")))
        assert opened.geometry.distance == pytest.approx(scan.geometry.distance)
        assert opened.geometry.shape == scan.geometry.shape
