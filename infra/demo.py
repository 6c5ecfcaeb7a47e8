"""The demo: a platform, a simulated beamline that drops scans into it, and a live table.

The platform is started as anyone would start it, with a settings file of its own, and the scans
are followed in the catalogue, as any other program could.
"""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from rich.console import Console

from catalog.connection import connect
from infra.commands.library import add_files
from infra.demo_night import diffraction_night, imaging_night, scattering_night, spectra_night
from infra.demo_progress import Display, Progress, read_progress
from infra.library_measure import Wish
from infra.settings import ConfigurationError
from infra.simulator.xas.night import PROPOSAL
from infra.simulator.xas.plan import SeriesPlan
from infra.simulator.xas.write import write_standards
from infra.state import StateError
from infra.up import Running, running

FOLDER = Path(".dayseye/demo")
TIME_LIMIT = 420.0
POLL_SECONDS = 0.4
LIBRARY = "iron"
SETTINGS = """\
# The demo's platform. Ask it questions with this file:
#   DAYSEYE_SETTINGS={file} dayseye datasets
state = "."

[[beamlines]]
id = "imaging"
name = "Simulated imaging beamline"
technique = "ct"
folders = ["raw/imaging"]
output = "{folder}/processed/{{proposal}}/{{scan}}"

[[beamlines]]
id = "spectra"
name = "Simulated absorption beamline"
technique = "xas"
folders = ["raw/spectra"]
path_template = "{{proposal}}/{{scan}}"
output = "{folder}/processed/{{proposal}}/{{scan}}"

[beamlines.recipe]
standards = "{library}"    # made of the files in standards/, see: dayseye library list
foil_table = "elam"       # which has the simulated foil at its 7112 eV

[[beamlines]]
id = "scattering"
name = "Simulated total-scattering beamline"
technique = "pdf"
folders = ["raw/scattering"]
path_template = "{{proposal}}/{{scan}}"
output = "{folder}/processed/{{proposal}}/{{scan}}"
needs = ["geometry", "container"]    # from the images of a calibrant and of an empty capillary

[beamlines.recipe]
structures = ["Ni.cif", "CeO2.cif"]  # in raw/scattering; the one that fits is named

[[beamlines]]
id = "diffraction"
name = "Simulated crystallography beamline"
technique = "mx"
folders = ["raw/diffraction"]
path_template = "{{proposal}}/{{scan}}"
output = "{folder}/processed/{{proposal}}/{{scan}}"
"""
STRUCTURES = {
    "Ni": ("3.52", "Ni 0 0 0 0.005"),
    "CeO2": ("5.41", "Ce 0 0 0 0.003\nO 0.25 0.25 0.25 0.006"),
}
"""Cell in Å and atoms of the cubic structures, by name, as books have them."""
CIF = """\
data_{name}
_symmetry_space_group_name_H-M 'F m -3 m'
_cell_length_a {cell}
_cell_length_b {cell}
_cell_length_c {cell}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_U_iso_or_equiv
{atoms}
"""


class DemoError(RuntimeError):
    """The demo cannot go on; the message says why and where to look."""


def run_demo(folder: Path = FOLDER, *, exit_when_done: bool = False) -> int:
    """Show the platform at work.

    Parameters
    ----------
    folder
        Everything of the demo: settings, state, raw and reduced data. A second demo goes on there.
    exit_when_done
        End when all scans are settled, instead of staying up until Ctrl-C.

    Returns
    -------
    The process's status: 0 if every scan was reduced and recorded, with its axis found.
    """
    console = Console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        demo = Demo(folder.absolute(), console)
        with demo.platform() as platform:
            rows = demo.watch(platform)
            demo.summarise(rows, platform)
            if not exit_when_done:
                console.print("The platform stays up until Ctrl-C.")
                with suppress(KeyboardInterrupt):
                    platform.process.wait()
        return 0 if all(row.right for row in rows) else 1
    except (DemoError, StateError, ConfigurationError) as error:
        console.print(str(error), style="red")
        return 1
    except KeyboardInterrupt:
        return 130


class Demo:
    """One showing: its folder, its platform, and the scans of tonight."""

    def __init__(self, folder: Path, console: Console) -> None:
        self.folder, self.console = folder, console
        self.settings_file = _write_settings(folder)
        self.started = time.monotonic()
        self.imaging = imaging_night(folder / "raw/imaging", folder / "truth")
        self.spectra = spectra_night(folder / "raw/spectra" / PROPOSAL, folder / "truth")
        self.scattering = scattering_night(folder / "raw/scattering" / PROPOSAL, folder / "truth")
        self.diffraction = diffraction_night(
            folder / "raw/diffraction" / PROPOSAL, folder / "truth"
        )
        self.nights = (self.imaging, self.spectra, self.scattering, self.diffraction)
        self.scans = {scan.name: scan for night in self.nights for scan in night.scans}

    @contextmanager
    def platform(self) -> Iterator[Running]:
        """Run the platform; one beamline measures already while it starts."""
        with ExitStack() as stack:
            with self.console.status("Starting the platform; a beamline measures already ..."):
                self.imaging.begin()
                platform = stack.enter_context(running(self.settings_file))
            try:
                self._keep_standards(platform)
                self.spectra.begin()
                self.scattering.begin()
                self.diffraction.begin()
                yield platform
            finally:
                self.console.print("Stopping the platform ...")

    def watch(self, platform: Running) -> list[Progress]:
        """Show the scans until all are settled, or the time is up."""
        engine = connect(platform.addresses.application_dsn, "dayseye-demo")
        rows: list[Progress] = []
        with Display(self.console) as display:
            while time.monotonic() - self.started < TIME_LIMIT:
                self._check(platform)
                rows = read_progress(engine, self.scans)
                display.show(rows, f"{time.monotonic() - self.started:.0f} s")
                if all(row.settled for row in rows):
                    break
                time.sleep(POLL_SECONDS)
        engine.dispose()
        return rows

    def _check(self, platform: Running) -> None:
        if platform.process.poll() is not None:
            raise DemoError(f"The platform has ended; its logs are in {platform.state.logs}.")
        if error := next(filter(None, (night.error() for night in self.nights)), None):
            raise DemoError(f"A simulated beamline failed: {error}") from error

    def _keep_standards(self, platform: Running) -> None:
        """Add the standards of the absorption beamline to a library, as `dayseye library add`."""
        folder = self.folder / "standards"
        write_standards(folder, SeriesPlan())
        engine = connect(platform.addresses.application_dsn, "dayseye-demo")
        added = add_files(engine, LIBRARY, [folder], Wish(origin="simulated"), lambda _: None)
        engine.dispose()
        if added.refused:
            raise DemoError(f"A standard was refused: {added.refused[0][1]}")

    def summarise(self, rows: Sequence[Progress], platform: Running) -> None:
        """Say what became of the scans, and where to look at it."""
        say = partial(self.console.print, soft_wrap=True, highlight=False)
        wrong = [row for row in rows if not row.right]
        say(
            f"{len(rows) - len(wrong)} of {len(rows)} scans reduced and recorded, and near the "
            f"truth, in {time.monotonic() - self.started:.0f} s:"
        )
        for claim in dict.fromkeys(row.scan.claim for row in rows):
            right = [row.right for row in rows if row.scan.claim == claim]
            say(f"  {sum(right)} of {len(right)} {claim}")
        for row in wrong:
            say(f"{row.scan.name}: {row.state} {row.reason} {row.found}, truly {row.scan.truth}")
        say(f"Catalogue and API  {platform.addresses.public_url}")
        say(f"Prefect UI         {platform.addresses.prefect_ui_url}")
        say(f"  its login        in {platform.state.folder / 'secrets' / 'prefect'}")
        say(f"Reduced data       {self.folder / 'processed'}")
        say(f"More               DAYSEYE_SETTINGS={self.settings_file} dayseye datasets")


def _write_settings(folder: Path) -> Path:
    """Make the demo's folders and its settings file, and return the latter."""
    techniques = ("spectra", "scattering", "diffraction")
    raw = ("raw/imaging", *(f"raw/{each}/{PROPOSAL}" for each in techniques))
    for name in (*raw, "processed", "standards", "truth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, (cell, atoms) in STRUCTURES.items():
        text = CIF.format(name=name, cell=cell, atoms=atoms)
        (folder / "raw/scattering" / f"{name}.cif").write_text(text)
    file = folder / "dayseye.toml"
    file.write_text(SETTINGS.format(file=file, folder=folder, library=LIBRARY))
    return file
