"""The beamlines of a chaos run: each brings its scans, and announces them, in another way."""

from collections.abc import Callable
from pathlib import Path

from tests.chaos.platform import Platform
from tests.chaos.scans import Scan, Templates

SETTINGS = """
state = "state"

[runs]
at_once = 2
attempts = 12           # a run may be hit again and again before it is done
stale_seconds = 20.0
retry_seconds = 1.0
free_disk_gb = 0.005
"""

BEAMLINE = """
[[beamlines]]
id = "{id}"
folders = ["raw/{id}"]
output = "{output}/{{scan}}"
timeout_seconds = 900.0
{more}
[beamlines.recipe]
rotation_axis = 46.3
[beamlines.triggers]
reconcile_seconds = 60.0
{triggers}
"""


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
        self.ways: dict[str, Callable[[int], Scan]] = {
            "moved in": self._moved_in,
            "no events": lambda number: self._write("shared", number),
        }
        self._narrow = narrow
        if narrow:
            self.ways["small disk"] = lambda number: self._write("narrow", number)

    def settings(self) -> str:
        """Return the settings of a platform with all of them."""
        parts = [SETTINGS, self._settings("imaging"), self._settings("shared", 'files = "scan"')]
        if self._narrow:
            parts.append(self._settings("narrow", output=self._narrow))
        return "".join(parts)

    def begin(self, platform: Platform) -> None:
        """Measure the scans, and begin to announce them to a platform."""
        self.platform = platform
        self.templates = Templates(self.folder / "store", "small")

    def _settings(self, name: str, triggers: str = "", more: str = "", output=None) -> str:
        (self.folder / "raw" / name).mkdir(parents=True)
        output = output or self.folder / "processed" / name
        return BEAMLINE.format(id=name, output=output, triggers=triggers, more=more)

    def _write(self, beamline: str, number: int) -> Scan:
        path = self.folder / "raw" / beamline / f"scan_{number:05d}.h5"
        return self.templates.write("small", path)

    def _moved_in(self, number: int) -> Scan:
        return self._write("imaging", number)
