"""The calibration of a detector: what is settled before, what is written, how it is judged."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from fabio.edfimage import EdfImage

from catalog.runs import Claim, InputFile
from flows.pdf.calibration import opening, pictures, report, results, stages, verdict
from flows.pdf.calibration.recipe import Recipe, Start
from flows.pdf.calibration.types import Result
from flows.reduction import Reduction
from infra.simulator.pdf.materials import CERIA
from infra.simulator.pdf.plan import ScanPlan, small
from infra.simulator.pdf.write import write_scan
from tasks.errors import DataError
from tasks.pdf.calibrate import calibrate
from tasks.pdf.geometry import read_poni


def claim_of(path, output, format="powder_hdf5", inner="entry"):
    data = InputFile(path, inner, "data", format, None, uuid4())
    about = {"beamline": "powder", "technique": "pdf", "flow": "pdf-calibration", "sample": None}
    return Claim(
        run_id=uuid4(),
        attempt_id=uuid4(),
        attempt_number=1,
        token=1,
        version=1,
        dataset_id=uuid4(),
        dataset_name=path.stem,
        recipe_version="1",
        proposal=None,
        parameters={},
        metadata={},
        inputs=[data],
        output_folder=Path(output, path.stem, "v001"),
        output_group="",
        output_mode="",
        already_completed=False,
        derived_id=None,
        **about,
    )


@pytest.fixture(scope="module")
def plan():
    """The plan of a calibrant, far from a small detector."""
    plan = small(ScanPlan(name="calib_CeO2_0001", kind="calibrant", seed=3)).identified()
    geometry = replace(plan.geometry, distance=0.5, poni1=0.1, poni2=0.104)
    plan = replace(plan, geometry=geometry)
    return plan.of(replace(CERIA, radius=80.0), name="CeO2 standard", diameter=0.5)


@pytest.fixture(scope="module")
def claim(plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrant")
    return claim_of(write_scan(folder, plan), folder / "processed")


@pytest.fixture(scope="module")
def found(claim):
    """The calibration of the simulated image."""
    opened = opening.open_image(Recipe(), claim)
    calibration = calibrate(
        opened.image, opened.calibrant, opened.pixel, wavelength=0.1671, mask=opened.mask
    )
    return Result(opened, calibration, calibration.trusted())


def test_the_data_say_what_is_needed(claim, plan, found):
    opened = found.opened
    assert (opened.calibrant, opened.wavelength) == ("CeO2", pytest.approx(0.1671))
    assert opened.pixel == pytest.approx((4e-4, 4e-4))
    assert opened.image.shape == plan.geometry.shape
    assert 0 < opened.mask.mean() < 0.2, "gaps and dead pixels are left out"
    told = opening.open_image(Recipe(calibrant="LaB6", wavelength=0.2, pixel_um=100), claim)
    assert (told.calibrant, told.wavelength) == ("LaB6", 0.2)
    assert told.pixel == pytest.approx((1e-4, 1e-4))


def image_of(folder, name, values):
    EdfImage(data=values).write(str(folder / name))
    return claim_of(folder / name, folder, "powder_image", "")


@pytest.mark.parametrize(
    ("name", "recipe", "words"),
    [
        ("image.edf", Recipe(), "image.edf does not say of which calibrant it is: give it in"),
        ("a.edf", Recipe(calibrant="CeO2"), "at which wavelength it was taken"),
        ("a.edf", Recipe(calibrant="CeO2", wavelength=0.2), "how large its pixels are"),
    ],
)
def test_what_nobody_says_is_asked_for(tmp_path, name, recipe, words):
    claim = image_of(tmp_path, name, np.ones((20, 20), np.uint16))
    with pytest.raises(DataError, match=words):
        opening.open_image(recipe, claim)


def test_a_pattern_is_no_image(tmp_path):
    path = tmp_path / "calib_CeO2.xy"
    path.write_text("".join(f"{0.1 * k} {100 + k}\n" for k in range(200)))
    with pytest.raises(DataError, match="is a pattern, and the geometry of a detector is found on"):
        opening.open_image(Recipe(), claim_of(path, tmp_path, "powder_pattern", ""))


def test_pixels_that_are_bad_in_one_frame_are_left_out():
    class Two:
        shape, dtype = (2, 2, 3), np.dtype(np.uint16)
        valid, saturation = np.array([[True, True, False]] * 2), 1000.0

        def read(self, frames):
            frame = np.full((1, 2, 3), 10 * (frames.start + 1), np.uint16)
            frame[0, 0, 0] = 1000 if frames.start else 1
            return frame

    mean, mask = opening.mean_of(Two())
    assert mask.tolist() == [[True, False, True], [False, False, True]]
    assert mean[1, 0] == 15


def test_the_start_is_in_the_middle_unless_said(found):
    recipe = Recipe(start=Start(distance_mm=300, poni2_mm=7.5, rot1_deg=1), orientation=2)
    start = stages.geometry_of(recipe.start, recipe, found.opened)
    assert (start.distance, start.poni1, start.poni2) == pytest.approx((0.3, 0.1024, 0.0075))
    assert (start.rot1, start.orientation) == (pytest.approx(np.pi / 180), 2)


def test_the_geometry_is_the_true_one_and_is_judged(found, plan):
    assert found.geometry.distance == pytest.approx(plan.geometry.distance, rel=1e-3)
    judged = verdict.judgement(found)
    assert (judged.verdict, judged.doubts) == ("ok", ()), judged.sentences
    assert judged.sentences[0].startswith(("500.", "499.9")), judged.sentences
    figures = report.quality(found)
    assert figures["distance_mm"] == pytest.approx(500, abs=0.3)
    assert figures["rings"] >= 6 and figures["residual_pixels"] < 0.5
    assert report.metadata(found)["calibrant"] == "CeO2"
    json.dumps(report.metadata(found) | figures, allow_nan=False)


@pytest.mark.parametrize(
    ("rule", "opened", "calibration"),
    [
        ("reading", {"warnings": ("a frame is missing.",)}, {}),
        ("wavelength", {"wavelength": 0.17}, {}),
        ("fit", {}, {"residual_rad": 0.01}),
        ("rings", {}, {"rings": 5}),
    ],
)
def test_what_makes_it_doubtful(found, rule, opened, calibration):
    if "rings" in calibration:
        calibration = {"rings": found.calibration.rings[: calibration["rings"]]}
    worse = replace(
        found,
        opened=replace(found.opened, **opened),
        calibration=replace(found.calibration, **calibration),
    )
    judged = verdict.judgement(worse)
    assert (judged.verdict, [name for name, _ in judged.doubts]) == ("check", [rule])


def test_what_is_written(found, claim):
    run = Reduction(None, claim)
    run.folder.mkdir(parents=True)
    results.write(run, Recipe(), found)
    poni = read_poni(run.folder / "calib_CeO2_0001.poni")
    assert poni.distance == pytest.approx(found.geometry.distance, rel=1e-12)
    told = json.loads((run.folder / "calib_CeO2_0001_rings.json").read_text())
    assert len(told["rings"]) == len(found.calibration.rings)
    assert pictures.draw(run, found) == ["rings.png", "residuals.png"]
    for name in ("rings.png", "residuals.png"):
        assert (run.folder / name).read_bytes().startswith(b"\x89PNG")
    assert {role for _, role, _ in run._files} == {"geometry", "rings", "preview"}
