"""A real Bluesky RunEngine that measures simulated scans and publishes its documents over 0MQ.

``python -m infra.simulator.bluesky FOLDER --publish 127.0.0.1:5567 --scans 3``
"""

import argparse
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgpack
import msgpack_numpy
from bluesky import RunEngine
from bluesky import plan_stubs as bps
from bluesky.callbacks.zmq import ClientCurve, Publisher
from bluesky.utils import RunEngineInterrupted

from infra.simulator.bluesky_detector import TomographyDetector
from infra.simulator.phantom import Geometry
from infra.simulator.plan import Delivery, ScanPlan

log = logging.getLogger(__name__)

Ending = Literal["success", "abort", "fail"]
Take = Callable[[str, dict[str, Any]], object]
PACK = partial(msgpack.packb, default=msgpack_numpy.encode)
MEETING_SECONDS = 0.5
LINGER_MS = 2000


@dataclass
class Station:
    """
    A beamline's control system: a RunEngine and its tomography detector.

    Attributes
    ----------
    folder
        Where the detector writes.
    subscribers
        Take each document.
    """

    folder: Path
    subscribers: tuple[Take, ...] = ()
    engine: RunEngine = field(init=False)
    detector: TomographyDetector = field(init=False)

    def __post_init__(self) -> None:
        self.engine = RunEngine({"beamline_id": "simulated"}, context_managers=[])
        self.detector = TomographyDetector("camera", self.folder)
        for subscriber in self.subscribers:
            self.engine.subscribe(subscriber)

    def measure(
        self, plan: ScanPlan, *, ending: Ending = "success", **metadata: object
    ) -> str | None:
        """
        Measure one scan; return the uid of its run.

        Parameters
        ----------
        plan
            Its uid and start are those of the run, as the start document gives them.
        ending
            ``abort`` and ``fail`` stop half-way: the last frames are missing.
        metadata
            More for the start document.
        """
        words = {"proposal": plan.proposal, "sample": plan.sample, "scan_name": plan.name}
        runs: list[str] = []
        token = self.engine.subscribe(lambda _, start: runs.append(start["uid"]), "start")
        try:
            self.engine(tomography(self.detector, plan, ending, {**words, **metadata}))
        except RunEngineInterrupted:
            self.engine.abort("the beam was lost")  # as a person does after Ctrl-C
        except ShutterError as error:
            log.info("The run failed: %s", error)
        finally:
            self.engine.unsubscribe(token)
        return runs[0] if runs else None


class ShutterError(Exception):
    """Something at the beamline broke."""


def tomography(
    detector: TomographyDetector, plan: ScanPlan, ending: Ending, metadata: Mapping[str, object]
) -> Iterator[Any]:
    """Plan a fly scan whose frames the detector writes by itself."""
    device: Any = detector  # ophyd's Status does not quite fit Bluesky's protocol of it
    if ending != "success":
        half = plan.geometry.projections // 2
        plan = replace(plan, lost=tuple(range(half, plan.geometry.projections)))
    yield from bps.stage(device)
    uid = yield from bps.open_run({**metadata, "plan_name": "tomography"})
    yield from bps.prepare(device, replace(plan, uid=uid), wait=True)
    yield from bps.declare_stream(device, name="primary", collect=True)
    yield from bps.kickoff(device, wait=True)
    yield from bps.collect_while_completing([device], [device], 0.2, "primary")
    if ending == "abort":
        yield from bps.pause()
    if ending == "fail":
        raise ShutterError("the shutter does not open")
    yield from bps.unstage(device)
    yield from bps.close_run(exit_status="success")


@contextmanager
def publisher(
    address: str, *, prefix: str = "", curve: ClientCurve | None = None
) -> Iterator[Publisher]:
    """Publish to the proxy at an address, packed with msgpack, once the two have met."""
    made = Publisher(address, prefix=prefix.encode(), serializer=PACK, curve_config=curve)
    made._socket.linger = LINGER_MS  # else it would wait for ever for a proxy that is gone
    time.sleep(MEETING_SECONDS)  # what is published before is lost
    try:
        yield made
    finally:
        made.close()


def small_plan(name: str, seconds: float = 0.5, **changes: Any) -> ScanPlan:
    """Plan a scan of a few frames."""
    geometry = Geometry(columns=96, rows=8, projections=91, axis=46.3)
    plan = ScanPlan(
        name=name,
        geometry=geometry,
        layout="nxtomo",
        delivery=Delivery("slow", seconds),
        proposal="2026-0117",
        sample="foam",
    ).identified()
    return replace(plan, **changes)


def main() -> None:
    """Measure scans and publish their documents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--publish", required=True, metavar="HOST:PORT", help="the proxy's input")
    parser.add_argument("--prefix", default="")
    parser.add_argument("--scans", type=int, default=1)
    parser.add_argument("--name", default="run", help="files are called NAME-0001, ...")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long each scan takes")
    parser.add_argument("--ending", choices=["success", "abort", "fail"], default="success")
    asked = parser.parse_args()
    with publisher(asked.publish, prefix=asked.prefix) as publish:
        station = Station(asked.folder, (publish,))
        for number in range(1, asked.scans + 1):
            plan = small_plan(f"{asked.name}-{number:04d}", asked.seconds, seed=number)
            print(station.measure(plan, ending=asked.ending), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
