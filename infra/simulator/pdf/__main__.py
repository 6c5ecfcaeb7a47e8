"""Measure a scan, from the command line.

``python -m infra.simulator.pdf FOLDER --sample Ni --format hdf5 --frames 10 --truth TRUTH``
"""

import argparse
import sys
from pathlib import Path

from infra.simulator.pdf.cases import CASES
from infra.simulator.pdf.materials import MATERIALS
from infra.simulator.pdf.plan import Evolution, ScanPlan, small
from infra.simulator.pdf.write import WRITERS, write_calibrations, write_scan


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m infra.simulator.pdf", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", default="scan_0001")
    parser.add_argument("--format", choices=WRITERS, default="hdf5")
    parser.add_argument("--sample", nargs="+", choices=MATERIALS, default=["Ni"])
    parser.add_argument("--frames", type=int, default=1)
    parser.add_argument("--expansion", type=float, default=0.0, help="share that a grows by")
    parser.add_argument("--small", action="store_true", help="512 x 512 pixels, not 1024 x 1024")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0, help="how long the file grows")
    parser.add_argument("--case", action="append", choices=CASES, default=[], help="what is odd")
    parser.add_argument("--proposal", default="2026-0117")
    parser.add_argument("--truth", type=Path, help="where to leave the truth")
    parser.add_argument("--calibrations", type=Path, help="where to leave what goes with the scan")
    asked = parser.parse_args()
    plan = planned(asked)
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.calibrations:
        asked.calibrations.mkdir(parents=True, exist_ok=True)
        write_calibrations(asked.calibrations, plan)
    written = write_scan(
        asked.folder, plan, asked.format, seconds=asked.seconds, truth_folder=asked.truth
    )
    print(written)  # noqa: T201


def planned(asked: argparse.Namespace) -> ScanPlan:
    """Return the plan that the command line asks for."""
    plan = ScanPlan(
        name=asked.name,
        frames=asked.frames,
        evolution=Evolution(expansion=asked.expansion),
        seed=asked.seed,
        proposal=asked.proposal,
    ).identified()
    plan = plan.of(*(MATERIALS[name] for name in asked.sample))
    plan = small(plan) if asked.small else plan
    for case in asked.case:
        plan = CASES[case](plan)
    return plan


if __name__ == "__main__":
    sys.exit(main())
