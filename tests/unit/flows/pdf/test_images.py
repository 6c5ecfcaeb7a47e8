"""From simulated images to G(r): what is left out, refused, and found."""

from dataclasses import replace

import numpy as np
import pytest

from flows.pdf.recipe import Recipe
from flows.pdf.verdict import judgement
from infra.simulator.pdf import cases, truth
from infra.simulator.pdf.plan import Evolution
from infra.simulator.pdf.write import write_scan
from tasks.errors import DataError
from tests.unit.flows.pdf.scans import NI, an_input, plan, reduce, with_geometry

SERIES = plan("heated", frames=8, evolution=Evolution(expansion=0.004))
SERIES = replace(SERIES, faults=replace(SERIES.faults, dumps=(2,)))


@pytest.fixture(scope="module")
def heated(tmp_path_factory):
    """Reduce a series of images with all that it needs."""
    folder = tmp_path_factory.mktemp("heated")
    claimed = with_geometry(folder, SERIES, "container")
    (folder / "Ni.cif").write_text(NI)
    return reduce(Recipe(structures=["Ni.cif"]), claimed, folder)


def test_frames_without_beam_are_left_out_and_named(heated):
    assert heated.patterns.left_out == {2: "In frame 2 the beam was away."}
    assert list(heated.corrected.frames) == [0, 1, 3, 4, 5, 6, 7]
    assert heated.transformed.first.each_g.shape[0] == 7
    told = judgement(heated)
    assert told.verdict == "check"
    assert told.sentences == ["1 of 8 frames are left out (2). In frame 2 the beam was away."]


def test_the_structure_is_found_in_the_merged_curve(heated):
    true = truth.of(SERIES)
    (fit,) = heated.interpreted.fits
    assert fit.structures == ("Ni",)
    assert fit.parameters["a"] == pytest.approx(true.cells[~true.bad, 0].mean(), abs=0.003)
    assert fit.rw < 0.2


def test_the_absolute_scale_agrees_with_itself(heated):
    assert [each.mode for each in heated.transformed.curves] == ["compatible", "absolute"]
    absolute = heated.transformed.curves[1]
    assert absolute.details["alpha_disagreement"][0] < 0.1
    assert absolute.details["low_r_misfit"][0] < 0.1
    assert absolute.s[absolute.q > 20].mean() == pytest.approx(1, abs=0.1)


def test_the_beam_stop_and_bad_pixels_are_found(heated):
    masked = heated.patterns.image.masked_by
    assert masked["beam stop"] > 100
    assert masked["dead"] > 0
    assert masked["hot"] > 0
    assert heated.patterns.image.mask.mean() < 0.15


def test_a_series_is_compared_with_itself(heated):
    matrix = heated.interpreted.similarity
    assert matrix.shape == (7, 7)
    assert matrix[0, 6] < matrix[0, 1] < 1
    assert heated.interpreted.parts.amounts.shape[0] == 7


def test_overexposed_images_are_refused(tmp_path):
    claimed = with_geometry(tmp_path, cases.saturated(plan("bright")))
    with pytest.raises(DataError, match="Frame 0 is overexposed"):
        reduce(Recipe(), claimed, tmp_path)


def test_darks_of_another_exposure_are_scaled_to_the_frames(tmp_path):
    scan = plan("dim")
    claimed = with_geometry(tmp_path, scan)
    bare = reduce(Recipe(background="none"), claimed, tmp_path)
    long = replace(scan, beam=replace(scan.beam, exposure=5 * scan.beam.exposure))
    claimed.inputs.append(an_input(write_scan(tmp_path, long.as_kind("dark", "dark_5")), "dark"))
    free = reduce(Recipe(background="none"), claimed, tmp_path)
    known = np.isfinite(bare.patterns.intensity[0]) & np.isfinite(free.patterns.intensity[0])
    taken = bare.patterns.intensity[0][known] - free.patterns.intensity[0][known]
    assert np.median(taken) >= 0
    assert free.patterns.doubts["reading"] == ()


def test_a_background_of_another_kind_of_data_is_refused(tmp_path):
    claimed = with_geometry(tmp_path, plan("scan"))
    np.savetxt(tmp_path / "air.xye", np.ones((50, 3)) * np.arange(1, 51)[:, None])
    claimed.inputs.append(an_input(tmp_path / "air.xye", "empty", "powder_pattern"))
    with pytest.raises(DataError, match=r"air\.xye is a 1-D pattern, but the scan has images"):
        reduce(Recipe(), claimed, tmp_path)
