"""Flows for the tests of the worker: what they do, they say in a file."""

import os
import signal
import time
from pathlib import Path
from uuid import UUID

from prefect import flow
from sqlalchemy import text

from catalog.connection import engine_from_environment
from flows.ct.recipe import Recipe
from flows.reduction import reduction


@flow
def note(path: Path) -> None:
    """Write down when the flow's first line ran, and in which process."""
    moment = time.time()
    path.write_text(f"{moment} {os.getpid()}")


@flow
def hold(path: Path, ignore_sigterm: bool = False) -> None:
    """Write down the process, and stay."""
    if ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    path.write_text(f"{time.time()} {os.getpid()}")
    time.sleep(600)


@flow
def crash(path: Path) -> None:
    """Write down the process, and die as if out of memory."""
    path.write_text(f"{time.time()} {os.getpid()}")
    os.kill(os.getpid(), signal.SIGKILL)


@flow
def claim_and_hold(path: Path, dataset: UUID) -> None:
    """Claim a run of a dataset, write down the process, and stay."""
    with reduction("ct-reduction", dataset, Recipe(), "a test", None):
        path.write_text(f"{time.time()} {os.getpid()}")
        time.sleep(600)


@flow
def claim_and_lock(path: Path, dataset: UUID) -> None:
    """Claim a run of a dataset, and stay in the middle of a transaction that holds its rows."""
    rows = text("SELECT id FROM run WHERE dataset_id = :dataset FOR UPDATE")
    with (
        reduction("ct-reduction", dataset, Recipe(), "a test", None),
        engine_from_environment().connect() as connection,
    ):
        connection.execute(rows, {"dataset": dataset})
        path.write_text(f"{time.time()} {os.getpid()}")
        time.sleep(600)
