"""A soft IOC that looks like an areaDetector HDF5 plugin, and captures real files.

``python -m infra.simulator.epics FOLDER --prefix BL07:HDF1: --port 5064`` serves the records;
setting Capture to 1 writes one scan, called as FileName says. With ``--scans`` it does so itself.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from infra.simulator.phantom import Geometry
from infra.simulator.plan import Delivery, ScanPlan
from infra.simulator.scan import write_scan

LOOPBACK = "127.0.0.1"
BEACONS = "127.255.255.255"


def serve(folder: Path, prefix: str, *, port: int, seconds: float, scans: int) -> None:
    """Serve the records on the loopback interface until the process ends."""
    os.environ.update(
        EPICS_CA_SERVER_PORT=str(port),
        EPICS_CAS_AUTO_BEACON_ADDR_LIST="NO",
        EPICS_CAS_BEACON_ADDR_LIST=BEACONS,
    )
    from caproto.asyncio.server import start_server  # it looks at the environment when imported

    from infra.simulator.epics_plugin import Hdf5Plugin

    plugin = Hdf5Plugin(prefix, folder=folder, seconds=seconds)

    async def begin(layer: Any) -> None:
        print("The IOC is ready.", flush=True)  # noqa: T201
        for number in range(1, scans + 1):
            await plugin.capture_one(f"capture-{number:04d}")

    asyncio.run(start_server(plugin.pvdb, interfaces=[LOOPBACK], startup_hook=begin))


def capture_plan(name: str, seconds: float) -> ScanPlan:
    """Plan what one capture brings."""
    return ScanPlan(
        name=name,
        geometry=Geometry(columns=96, rows=8, projections=91, axis=46.3),
        delivery=Delivery("slow", seconds),
        seed=sum(name.encode()),
        sample="foam",
        proposal="2026-0117",
    ).identified()


def write_capture(folder: Path, name: str, seconds: float) -> int:
    """Write one scan; return how many projections it has."""
    plan = capture_plan(name, seconds)
    write_scan(folder, plan)
    return plan.geometry.projections


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prefix", default="BL07:HDF1:")
    parser.add_argument("--port", type=int, default=5064)
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a capture takes")
    parser.add_argument("--scans", type=int, default=0, help="capture so many by itself")
    asked = parser.parse_args()
    serve(
        asked.folder.absolute(),
        asked.prefix,
        port=asked.port,
        seconds=asked.seconds,
        scans=asked.scans,
    )


if __name__ == "__main__":
    sys.exit(main())
