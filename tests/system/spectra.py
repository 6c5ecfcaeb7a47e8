"""What system tests of absorption spectra ask of the platform."""

import subprocess
import sys

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import Dataset, VerdictRecord

SETTLED = ("completed", "failed", "cancelled")
PATIENCE = 300.0


def settled(platform, name):
    runs = platform.runs(name)
    return bool(runs) and runs[-1].state in SETTLED


def state_of(platform, name):
    dataset = platform.dataset(name)
    return dataset.state if dataset else None


def wait_until_settled(platform, *names):
    for name in names:
        platform.wait_for(lambda name=name: settled(platform, name), PATIENCE, f"{name} is reduced")


def wait_for_quarantine(platform, name):
    """Return why a scan is in quarantine."""
    platform.wait_for(
        lambda: state_of(platform, name) == "quarantined", PATIENCE, f"{name} is in quarantine"
    )
    return platform.dataset(name).state_reason


def result_of(platform, name):
    """Return verdict, reasons and figures, and the metadata of the newest result."""
    run = platform.runs(name)[-1]
    assert run.state == "completed", f"{name}: {run.state_reason}"
    with Session(platform.engine) as session:
        derived = session.scalar(select(Dataset).where(Dataset.run_id == run.id))
        verdict = session.scalar(
            select(VerdictRecord).where(VerdictRecord.dataset_id == derived.id)
        )
        session.expunge_all()
    return verdict, derived.meta


def file_of(platform, beamline, name, version=1, suffix="_xas.h5"):
    (found,) = (platform.folder / "processed" / beamline / name / f"v{version:03d}").glob(
        f"*{suffix}"
    )
    return found


def dayseye(platform, *arguments):
    """Call the command, which must succeed."""
    settings = ("--settings", str(platform.folder / "dayseye.toml"))
    subprocess.run(
        [sys.executable, "-m", "infra.cli", *settings, *arguments], check=True, timeout=150
    )
