"""Measure a sweep, from the command line.

``python -m infra.simulator.mx FOLDER --crystal P43212 --format nxmx --images 90 --truth TRUTH``
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from infra.simulator.mx import plan as plans
from infra.simulator.mx.cases import CASES, CRYSTALS
from infra.simulator.mx.plan import Detector, Rotation, SweepPlan
from infra.simulator.mx.write import FORMATS, write_sweep

DETECTORS = {
    "small": Detector(),
    "eiger1m": plans.EIGER_1M,
    "eiger4m": plans.EIGER_4M,
    "eiger9m": plans.EIGER_9M,
    "pilatus2m": plans.PILATUS_2M,
}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m infra.simulator.mx", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", default="sweep_1")
    parser.add_argument("--format", choices=FORMATS, default="nxmx")
    parser.add_argument("--detector", choices=DETECTORS, default="small")
    parser.add_argument("--distance", type=float, help="mm")
    parser.add_argument("--crystal", choices=CRYSTALS, default="P43212")
    parser.add_argument("--structure", type=Path, help="PDB or mmCIF file")
    parser.add_argument("--d-min", type=float, default=1.6, help="Å")
    parser.add_argument("--start", type=float, default=0.0, help="degrees")
    parser.add_argument("--width", type=float, default=1.0, help="degrees per image")
    parser.add_argument("--images", type=int, default=90)
    parser.add_argument("--seed", type=int, default=0, help="of the noise and the orientation")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long the sweep grows")
    parser.add_argument("--case", action="append", choices=CASES, default=[], help="what is odd")
    parser.add_argument("--proposal", default="2026-0117")
    parser.add_argument("--truth", type=Path, help="where to leave the truth")
    asked = parser.parse_args()
    plan = planned(asked)
    asked.folder.mkdir(parents=True, exist_ok=True)
    true = write_sweep(
        asked.folder, plan, asked.format, seconds=asked.seconds, truth_folder=asked.truth
    )
    print(f"{plan.name}: {len(true)} reflections in {asked.folder}")  # noqa: T201


def planned(asked: argparse.Namespace) -> SweepPlan:
    """Return the plan that the command line asks for."""
    detector = DETECTORS[asked.detector]
    if asked.distance:
        detector = replace(detector, distance=asked.distance)
    crystal = replace(
        CRYSTALS[asked.crystal],
        structure=asked.structure,
        d_min=asked.d_min,
        orientation_seed=asked.seed + 1,
    )
    plan = SweepPlan(
        name=asked.name,
        detector=detector,
        crystal=crystal,
        rotation=Rotation(asked.start, asked.width, asked.images),
        seed=asked.seed,
        proposal=asked.proposal,
    ).identified()
    for case in asked.case:
        plan = CASES[case](plan)
    return plan


if __name__ == "__main__":
    sys.exit(main())
