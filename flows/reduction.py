"""One attempt of a run, as a flow sees it: claim, folder, steps, outputs, end."""

import logging
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from prefect.runtime import flow_run
from pydantic import BaseModel
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from catalog import library, runs
from catalog.connection import engine_from_environment
from catalog.library import LibrarySpectrum
from catalog.queries.results import previews
from catalog.runs import Claim, Fenced, MadeCalibration, members
from flows.cluster import WorkerLimits, dask_client, worker_limits
from flows.machine import machine
from flows.memory import explain
from flows.outputs import hand_over, output_file
from flows.progress import Progress, chunks_in_order
from flows.transient import is_transient
from tasks.algorithm import Record
from tasks.errors import DataError, StillBeingWritten

Order = TypeVar("Order")
Chunk = TypeVar("Chunk")

log = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 10.0
PUBLIC_URL = "DAYSEYE_PUBLIC_URL"
PROCESS_STARTED = "DAYSEYE_PROCESS_STARTED"
IN_BATCH: ContextVar[bool] = ContextVar("in_batch", default=False)
"""Whether this flow run carries several scans, each with a run of its own."""


class Reduction:
    """What a flow holds while it works: the claim, the folder it writes to, and the way out.

    Attributes
    ----------
    claim : Claim
        The attempt that this process makes, with its fencing token.
    folder : Path
        Where outputs are written; renamed to `Claim.output_folder` when they are entered.
    """

    def __init__(self, engine: Engine, claim: Claim) -> None:
        self.claim = claim
        self.folder = claim.partial_folder
        self._engine = engine
        self._files: list[tuple[str, str, str]] = []
        self._fenced = threading.Event()
        self._ended = threading.Event()

    def begin(self) -> None:
        """Make the folder, clear away what earlier attempts left, start the heartbeat."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        name = self.claim.output_folder.name
        for left in self.folder.parent.glob(f".{name}.attempt-*.partial"):
            shutil.rmtree(left)
        self.folder.mkdir()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def stage(self, name: str, **figures: Any) -> None:
        """Tell the catalogue which stage the run is in, with figures worth watching."""
        self.check_fence()
        runs.set_stage(self._engine, self.claim, name, figures)

    def check_fence(self) -> None:
        """Stop when a newer attempt holds the run.

        Raises
        ------
        Fenced
            This attempt may not enter outputs any more.
        """
        if self._fenced.is_set():
            raise Fenced(f"A newer attempt holds run {self.claim.run_id}: this one stops here.")

    def record(self, stage: str, records: Sequence[Record]) -> None:
        """Enter a stage's algorithms as steps of this attempt."""
        steps = [
            runs.StepRecord(
                stage=stage,
                algorithm=record.algorithm,
                version=record.version,
                implementation=record.implementation,
                parameters=record.parameters,
                packages=record.packages,
                device=record.device,
                calls=record.calls,
                seconds=record.seconds,
                rejected=[
                    {"implementation": name, "reason": reason}
                    for name, reason in record.rejected.items()
                ],
            )
            for record in records
        ]
        runs.record_steps(self._engine, self.claim, steps)

    def limits(self) -> WorkerLimits:
        """Ask the flow's cluster what its workers offer."""
        return worker_limits(dask_client())

    def work_through(
        self, what: str, function: Callable[..., Chunk], orders: Sequence[Order]
    ) -> Iterator[Chunk]:
        """Have orders carried out on the flow's cluster while this attempt holds the run.

        Parameters
        ----------
        what : str
            Stands above the bar in the Prefect UI, with the dataset's name.
        function : callable
            Called on a worker with one order and ``cores``, the threads that it may use.
        orders : sequence
            Small, picklable references.

        Yields
        ------
        Chunk
            What the function returns, as it comes.
        """
        limits = self.limits()
        bar = Progress(f"{what} ({self.claim.dataset_name})", len(orders))
        work = partial(function, cores=limits.threads)
        for chunk in chunks_in_order(dask_client(), work, orders, 2 * limits.workers):
            self.check_fence()
            yield chunk
            bar.step()

    def output(self, relative: str, role: str, media_type: str) -> Path:
        """Announce an output file and return the path to write it at."""
        self._files.append((relative, role, media_type))
        return self.folder / relative

    def enter(
        self,
        *,
        verdict: str,
        reasons: Sequence[str | dict[str, str]],
        rules_version: str | None = None,
        quality: dict[str, Any],
        metadata: dict[str, Any],
        calibration: MadeCalibration | None = None,
    ) -> UUID:
        """Rename the folder into place and enter the outputs, all or nothing.

        With ``calibration`` the result serves other datasets, and those that wait for it go on.

        Returns
        -------
        UUID
            The derived dataset.
        """
        self.check_fence()
        hand_over(self.folder, self.claim.output_group, self.claim.output_mode)
        outputs = [output_file(self.folder, *announced) for announced in self._files]
        return runs.complete(
            self._engine,
            self.claim,
            outputs=outputs,
            publish=self._publish,
            verdict=verdict,
            reasons=reasons,
            rules_version=rules_version,
            quality=quality,
            metadata=metadata,
            calibration=calibration,
        )

    def library(
        self, names: Sequence[str] | None, element: str, edge: str
    ) -> list[LibrarySpectrum]:
        """Return the spectra of an edge in libraries that serve this scan; None means all."""
        with Session(self._engine) as session:
            return library.spectra(session, names, element, edge, proposal=self.claim.proposal)

    def library_digest(self, names: Sequence[str] | None, element: str, edge: str) -> str:
        """Return the digest of what `library` returns, which a result keeps."""
        with Session(self._engine) as session:
            return library.digest(session, names, element, edge, proposal=self.claim.proposal)

    def scans_without_result(self) -> list[str]:
        """Return the names of the scans of a series that have no result, and will get none."""
        with Session(self._engine) as session:
            return members.without_result(session, self.claim.dataset_id)

    def page(self, path: str) -> str:
        """Return the address of one of the catalogue's pages."""
        return f"{os.environ.get(PUBLIC_URL, '').rstrip('/')}/{path}"

    def file_address(self, derived: UUID, name: str) -> str:
        """Return the address at which the catalogue serves an output that was entered."""
        with Session(self._engine) as session:
            shown = previews(session, {derived})[derived]
        found = {preview.name: preview.url for preview in shown}
        return self.page(found[name.rpartition(".")[0]].lstrip("/"))

    def end(self) -> None:
        """Stop the heartbeat and remove what was not entered."""
        self._ended.set()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _publish(self) -> None:
        """Move the folder to its final name; runs under the lock of the run's row.

        A folder that already has this name was renamed by an attempt that died before its
        commit: nothing of it is in the catalogue, so this attempt's outputs take its place.
        """
        final = self.claim.output_folder
        if final.exists():
            shutil.rmtree(final)
        self.folder.rename(final)
        parent = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            try:
                runs.heartbeat(self._engine, self.claim)
            except Fenced:
                self._fenced.set()
                return
            except Exception as error:
                # a database that is away comes back; whether the run may go on is asked again
                # by the next beat and, with the run's row locked, when outputs are entered
                log.warning("heartbeat of run %s failed: %s", self.claim.run_id, error)


@contextmanager
def reduction(
    flow: str, dataset: UUID, recipe: BaseModel, reason: str, dispatch: UUID | None
) -> Iterator[Reduction]:
    """Claim a run, and end it in the catalogue however the body ends.

    A `DataError` quarantines the dataset; trouble with the services gives the run back, to be
    retried after a pause; any other error fails the run with its reason.

    Parameters
    ----------
    flow : str
        The flow's name.
    dataset : UUID
        The dataset to reduce.
    recipe : BaseModel
        Its parameters.
    reason : str
        Why a person asked for it; empty for automatic work.
    dispatch : UUID or None
        The outbox row that asked for it; none when it was started in the Prefect UI.

    Yields
    ------
    Reduction
        Look at ``claim.already_completed`` first.
    """
    engine = engine_from_environment()
    claim = runs.claim(
        engine,
        dataset_id=dataset,
        flow=flow,
        parameters=recipe.model_dump(mode="json"),
        dispatch_id=dispatch,
        flow_run_id=str(flow_run.id),
        reason=reason,
        host=socket.gethostname(),
        pid=os.getpid(),
        process_started=_process_started(),
        in_batch=IN_BATCH.get(),
        machine=machine(),
    )
    work = Reduction(engine, claim)
    if claim.already_completed:
        yield work
        return
    try:
        work.begin()
        yield work
    except StillBeingWritten as error:
        # this scan was complete: another one is being appended to its file
        _end_badly(engine, claim, error)
        raise
    except DataError as error:
        runs.fail(engine, claim, str(error), quarantine=True)
        raise
    except Fenced:
        raise
    except Exception as error:
        _end_badly(engine, claim, error)
        raise
    finally:
        work.end()
        engine.dispose()


def _end_badly(engine: Engine, claim: Claim, error: Exception) -> None:
    """Give the run back if it may succeed later, else fail it."""
    if not is_transient(error):
        again = f"`dayseye retry {claim.run_id}` tries it again."
        runs.fail(engine, claim, f"{explain(error).rstrip('.')}. {again}")
        return
    try:
        runs.give_back(engine, claim, explain(error))
    except OperationalError as away:
        # what is left running is found when this process has ended, or its heartbeat has
        log.warning("run %s could not be given back: %s", claim.run_id, away)


def _process_started() -> float | None:
    """Return the start of this process as the worker told it, to know it from a later one."""
    told = os.environ.get(PROCESS_STARTED)
    return float(told) if told else None
