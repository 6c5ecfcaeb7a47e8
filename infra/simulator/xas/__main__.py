"""Measure a series of spectra, from the command line.

``python -m infra.simulator.xas FOLDER --sweeps 400 --format quick --truth TRUTH``
"""

import argparse
import sys
from pathlib import Path

from infra.simulator.xas.cases import CASES
from infra.simulator.xas.plan import Scan, SeriesPlan
from infra.simulator.xas.write import WRITERS, write_series, write_standards


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m infra.simulator.xas", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", default="series_0001")
    parser.add_argument("--format", choices=WRITERS, default="quick")
    parser.add_argument("--sweeps", type=int, default=400)
    parser.add_argument("--points", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0, help="how long the file grows")
    parser.add_argument("--case", action="append", choices=CASES, default=[], help="what is odd")
    parser.add_argument("--proposal", default="2026-0117")
    parser.add_argument("--truth", type=Path, help="where to leave the truth")
    parser.add_argument("--standards", type=Path, help="where to leave XDI files of the standards")
    parser.add_argument("--spectra", type=Path, help="folder of real XDI files instead of models")
    parser.add_argument("--compounds", nargs="+", help="what the sample consists of, in turn")
    parser.add_argument("--foil", help="the reference foil, called like a compound")
    asked = parser.parse_args()
    plan = planned(asked)
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.standards:
        asked.standards.mkdir(parents=True, exist_ok=True)
        write_standards(asked.standards, plan)
    written = write_series(
        asked.folder, plan, asked.format, seconds=asked.seconds, truth_folder=asked.truth
    )
    print(written)  # noqa: T201


def planned(asked: argparse.Namespace) -> SeriesPlan:
    """Return the plan that the command line asks for."""
    names = tuple(asked.compounds or SeriesPlan.names)
    plan = SeriesPlan(
        name=asked.name,
        sweeps=asked.sweeps,
        names=names,
        rates=tuple(6.0 * 0.42**step for step in range(len(names) - 1)),
        standards=asked.spectra,
        foil=asked.foil or names[-1],
        scan=Scan(points=asked.points),
        seed=asked.seed,
        proposal=asked.proposal,
    ).identified()
    for case in asked.case:
        plan = CASES[case](plan)
    return plan


if __name__ == "__main__":
    sys.exit(main())
