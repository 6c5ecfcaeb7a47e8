"""The beamlines of a chaos run: each brings its scans, and announces them, in another way."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from infra.simulator import nxtomo
from infra.simulator.bluesky import Station, publisher, small_plan
from infra.simulator.bluesky_proxy import proxy
from infra.simulator.plan import measure
from tests.chaos.captures import PREFIX, captures
from tests.chaos.platform import Platform
from tests.chaos.reports import Reports
from tests.chaos.scans import SMALL, Scan, Templates, sha256
from tests.conftest import free_port

SETTINGS = """
state = "state"

[runs]
at_once = 2
attempts = 12           # a run may be hit again and again before it is done
stale_seconds = 30.0
retry_seconds = 1.0
free_disk_gb = 0.005
"""

BEAMLINE = """
[[beamlines]]
id = "{id}"
folders = ["raw/{id}"]
output = "{output}/{{scan}}"
timeout_seconds = 900.0
[beamlines.recipe]
rotation_axis = {axis}
[beamlines.triggers]
reconcile_seconds = 60.0
{triggers}
"""

BATCH = """
[[beamlines.rules]]
name = "quick"
match = ["**"]
batch = { count = 8, seconds = 3.0 }
"""

ENTRIES_PER_FILE = 6


class Beamlines:
    """Brings scans to a platform, each in the way that is asked for.

    Parameters
    ----------
    folder : Path
        Of the platform.
    narrow : Path, optional
        A small disk for the results of one beamline.
    """

    def __init__(self, folder: Path, narrow: Path | None) -> None:
        self.folder = folder
        self._narrow = narrow
        self._ports = {name: free_port() for name in ("documents in", "documents out", "ioc")}
        self._stack = ExitStack()
        self.ways: dict[str, Callable[[int], Scan]] = {
            "file events": lambda number: self._write("imaging", number),
            "own scan of the folder": lambda number: self._write("shared", number),
            "entry of a growing file": self._entry,
            "quick, in batches": lambda number: self._write("quick", number, "tiny"),
            "HTTP": self._posted,
            "Bluesky over 0MQ": self._bluesky,
            "EPICS areaDetector": self._captured,
        }
        if narrow:
            self.ways["file events, small disk"] = lambda number: self._write("narrow", number)

    def settings(self) -> str:
        """Return the settings of a platform with all of them."""
        documents = self._address("documents out")
        parts = [
            SETTINGS,
            self._settings("imaging"),
            self._settings("shared", 'files = "scan"'),
            self._settings("growing"),
            self._settings("quick", axis=15.2) + BATCH,
            self._settings("posted", 'files = "off"'),
            self._settings("staged", f'files = "off"\nbluesky = {{ address = "{documents}" }}'),
        ]
        ioc = f'epics = {{ prefix = "{PREFIX}", addresses = ["{self._address("ioc")}"] }}'
        parts.append(self._settings("captured", f'files = "off"\n{ioc}'))
        if self._narrow:
            parts.append(self._settings("narrow", output=self._narrow))
        return "".join(parts)

    def measure(self) -> None:
        """Measure the scans that are brought."""
        self.templates = Templates(self.folder / "store", "small", "tiny")
        self._recording = measure(SMALL)

    def begin(self, platform: Platform) -> None:
        """Begin to announce scans to a platform that runs."""
        addresses = (self._address("documents in"), self._address("documents out"))
        self._stack.enter_context(proxy(*addresses))
        publish = self._stack.enter_context(publisher(addresses[0]))
        self._station = Station(self.folder / "raw/staged", (publish,))
        self._captures = self._stack.enter_context(
            captures(self.folder / "raw/captured", self._ports["ioc"])
        )
        self.reports = Reports(
            platform.life.addresses.api_url, platform.life.addresses.state.secret("api")
        )
        self.reports.start()

    def end(self) -> None:
        """Announce nothing more."""
        self._stack.close()

    def report(self, scan: Scan, key: str) -> None:
        """Report a scan over HTTP under a key."""
        self.reports.put(
            beamline="posted", key=key, paths=[str(scan.path)], stage="finished", uid=scan.uid
        )

    def _address(self, port: str) -> str:
        return f"127.0.0.1:{self._ports[port]}"

    def _settings(self, name: str, triggers: str = "", axis: float = 46.3, output=None) -> str:
        (self.folder / "raw" / name).mkdir(parents=True)
        output = output or self.folder / "processed" / name
        return BEAMLINE.format(id=name, output=output, triggers=triggers, axis=axis)

    # -- ways in which scans come -------------------------------------------------------------

    def _write(self, beamline: str, number: int, kind: str = "small") -> Scan:
        path = self.folder / "raw" / beamline / f"scan_{number:05d}.h5"
        return self.templates.write(kind, path)

    def _entry(self, number: int) -> Scan:
        """Append to a file that others read meanwhile: a writer waits for its turn."""
        name = f"day_{number // (ENTRIES_PER_FILE * len(self.ways)):05d}.nxs"
        path = self.folder / "raw/growing" / name
        plan = replace(SMALL, layout="nxtomo").identified()
        deadline = time.monotonic() + 120
        while True:
            try:
                nxtomo.write_entry(path, f"entry{number}", plan, self._recording)
                return Scan(str(plan.uid), path, None)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _posted(self, number: int) -> Scan:
        scan = self._write("posted", number)
        self.report(scan, key=scan.path.name)
        return scan

    def _bluesky(self, number: int) -> Scan:
        plan = small_plan(f"run_{number:05d}", seconds=0.2, seed=number)
        uid = self._station.measure(plan)
        path = self.folder / "raw/staged" / f"{plan.name}.nxs"
        return Scan(str(uid), path, sha256(path))

    def _captured(self, number: int) -> Scan:
        uid, path = self._captures.capture(f"capture_{number:05d}")
        return Scan(uid, path, sha256(path))
