"""
Spots of real images against those of DIALS; what is seen in many simulated sweeps.

The images of L-cysteine are the first 15 of each sweep; DIALS integrated two of the sweeps whole,
and found 160 spots in these images. Its observed positions are compared with ours. The images of
the DNA oligomer are not there; its spots tell whether the cell's volume comes out of their number.
"""

from dataclasses import replace

import numpy as np
import pytest

from infra.simulator.mx.plan import Background, Detector, Faults, Rotation, SweepPlan
from tasks.io.dials import read_experiments, read_reflections
from tasks.io.mx.cbf_reader import READER
from tasks.io.scan import ScanReference
from tasks.mx.image_figures import spots_and_figures
from tasks.mx.reflections import Spots
from tasks.mx.seen import cell_volume, what_is_seen
from tasks.mx.spots import join_blocks
from tests.unit.tasks.mx.simulated import looked_at
from tests.validate.chain import real_data

FOUND_BY_DIALS = 160
VOLUME = 5.496 * 8.208 * 12.162  # cubic Angstrom, L-cysteine
SWEEP_OF = {0: 3, 1: 0}  # of DIALS' experiments: which of the four sweeps


@pytest.fixture(scope="module")
def cysteine():
    folder = real_data("mx/l_cysteine")
    found = []
    for entry in READER.entries(folder):
        with READER.open(ScanReference(str(folder), entry.inner_path)) as images:
            counts, mask, geometry = images.read(), images.mask, images.geometry
            parts, figures = spots_and_figures(counts, mask, geometry, images.saturation)
            spots = join_blocks([parts])
            found.append((spots, what_is_seen(figures, spots, geometry, mask)))
    return found


def test_as_many_spots_as_dials_finds(cysteine):
    assert len(cysteine) == 4
    total = sum(len(spots) for spots, _ in cysteine)
    print(f"{total} spots, DIALS {FOUND_BY_DIALS}")
    assert total == pytest.approx(FOUND_BY_DIALS, rel=0.1)


@pytest.mark.parametrize("experiment", SWEEP_OF)
def test_spots_are_where_dials_saw_them(cysteine, experiment):
    reflections = read_reflections(real_data("mx/l_cysteine_reference/scaled_20_25.refl"))
    theirs = reflections["xyzobs.px.value"][reflections["id"] == experiment]
    spots = cysteine[SWEEP_OF[experiment]][0]
    whole = spots.take(spots.images[:, 1] < 14)  # those that the last image does not cut
    apart = np.abs(whole.xyz[:, None] - theirs[None])
    nearest = apart[np.arange(len(whole)), np.argmin((apart**2).sum(axis=2), axis=1)]
    same = (nearest < [2, 2, 3]).all(axis=1)
    x, y, z = np.median(nearest[same], axis=0)
    print(f"{same.sum()} of {len(whole)} spots; median apart {x:.3f} {y:.3f} px, {z:.3f} images")
    assert same.mean() > 0.75
    assert max(x, y) < 0.1
    assert z < 0.2


def test_few_spots_tell_the_small_cell(cysteine):
    volumes = [seen.volume for _, seen in cysteine]
    print(f"cell volumes {np.round(volumes)}, true {VOLUME:.0f}")
    assert all(seen.kind == "small cell" for _, seen in cysteine)
    assert np.median(volumes) == pytest.approx(VOLUME, rel=0.6)


def test_spots_of_dials_tell_the_volume_of_the_cell():
    table = read_reflections(real_data("mx/centroid_reference/indexed.refl"))
    experiment = read_experiments(real_data("mx/centroid_reference/indexed.expt"))[0]
    box = table["bbox"]
    spots = Spots(
        xyz=table["xyzobs.px.value"],
        variance=table["xyzobs.px.variance"],
        intensity=table["intensity.sum.value"],
        pixels=np.ones(len(box), np.int32),
        images=np.column_stack([box[:, 4], box[:, 5] - 1]).astype(np.int32),
    )
    volume = cell_volume(experiment.geometry, spots, experiment.geometry.rotation.images)
    true = experiment.crystal.volume
    print(f"volume {volume:.0f}, true {true:.0f} cubic Angstrom")
    assert volume == pytest.approx(true, rel=0.6)


PLAN = SweepPlan(rotation=Rotation(0.0, 0.5, 8))
SMALL = PLAN.of(cell=(5.5, 8.2, 12.1, 90.0, 90.0, 90.0), space_group="P 21 21 21", d_min=0.9)
SALT = PLAN.of(cell=(9.1, 9.1, 12.4, 90.0, 90.0, 90.0), space_group="P 43 21 2", d_min=0.9)
KINDS = {
    "protein": ("diffraction", PLAN),
    "weak protein": ("diffraction", PLAN.of(counts=40.0)),
    "protein and ice": ("diffraction", replace(PLAN, background=Background(ice=5.0, grains=20))),
    "large cell": (
        "diffraction",
        PLAN.of(cell=(90.0, 110.0, 150.0, 90.0, 90.0, 90.0), space_group="P 21 21 21", d_min=2.5),
    ),
    "small protein": (
        "diffraction",
        PLAN.of(cell=(25.0, 31.0, 38.0, 90.0, 90.0, 90.0), space_group="P 21 21 21"),
    ),
    "hot pixels": ("diffraction", replace(PLAN, detector=Detector(hot=1e-4))),
    "shutter": ("diffraction", replace(PLAN, faults=Faults(shutter_closed=(2, 3)))),
    "empty": ("no spots", replace(PLAN, subject="empty")),
    "empty, hot pixels": (
        "no spots",
        replace(PLAN, subject="empty", detector=Detector(hot=1e-4)),
    ),
    "ice alone": (
        "no spots",
        replace(PLAN, subject="empty", background=Background(ice=5.0, grains=20)),
    ),
    "powder": ("powder rings", replace(PLAN, subject="powder")),
    "small molecule": ("small cell", replace(SMALL, rotation=Rotation(0.0, 1.0, 20))),
    "salt": ("small cell", replace(SALT, rotation=Rotation(0.0, 1.0, 10))),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_is_seen_is_what_was_there(name):
    expected, plan = KINDS[name]
    seen = []
    for seed in range(6):
        drawn = replace(plan, seed=seed).of(orientation_seed=seed + 1)
        seen.append(looked_at(drawn)[0].kind)
    right = seen.count(expected)
    print(f"{name}: {right} of {len(seen)} seen as {expected}")
    assert right == len(seen), seen
