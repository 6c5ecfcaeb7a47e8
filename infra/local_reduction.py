"""A reduction without a platform: in this process and some workers, into a folder of one's own."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from catalog.runs import Claim, InputFile
from flows.cluster import WorkerLimits
from flows.reduction import Reduction
from tasks.algorithm import Record
from tasks.io.scan import ScanReference

Order = TypeVar("Order")
Chunk = TypeVar("Chunk")
_MEMORY = 2 << 30  # bytes of a worker


class LocalReduction(Reduction):
    """Does for the stages of a flow what a platform does, and keeps what they say.

    Parameters
    ----------
    data : ScanReference
        What is reduced.
    name : str
        Of the dataset.
    folder : Path
        Where the results go; it must not exist.
    workers : int
        Processes beside this one; 0: this one does all.

    Attributes
    ----------
    seconds : dict of str to float
        Time of each stage that ended.
    records : list of Record
        What ran.
    """

    def __init__(self, data: ScanReference, name: str, folder: Path, workers: int) -> None:
        self.claim = _claim(data, name, folder)
        self.folder = self.claim.output_folder
        self.folder.mkdir(parents=True)
        self.seconds: dict[str, float] = {}
        self.records: list[Record] = []
        self._workers = workers
        spawn = get_context("spawn")
        self._pool = ProcessPoolExecutor(workers, mp_context=spawn) if workers else None
        self._stage, self._began = "", time.perf_counter()

    def stage(self, name: str, **figures: Any) -> None:
        """Note how long the stage before took."""
        now = time.perf_counter()
        if self._stage and name != self._stage:
            passed = self.seconds.get(self._stage, 0.0)
            self.seconds[self._stage] = passed + now - self._began
        if name != self._stage:
            self._stage, self._began = name, now

    def record(self, stage: str, records: Sequence[Record]) -> None:
        """Keep what ran."""
        self.records += records

    def limits(self) -> WorkerLimits:
        """Say what the workers offer."""
        return WorkerLimits(max(self._workers, 1), 1, _MEMORY)

    def work_through(
        self, what: str, function: Callable[..., Chunk], orders: Sequence[Order]
    ) -> Iterator[Chunk]:
        """Have orders carried out by the workers."""
        work = partial(function, cores=1)
        yield from map(work, orders) if self._pool is None else self._pool.map(work, orders)

    def output(self, relative: str, role: str, media_type: str) -> Path:
        """Return the path to write an output at."""
        return self.folder / relative

    def end(self) -> None:
        """Note the last stage, and let the workers go."""
        self.stage("")
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


@contextmanager
def local_reduction(
    data: ScanReference, name: str, folder: Path, workers: int
) -> Iterator[LocalReduction]:
    """Reduce something without a platform; see `LocalReduction`."""
    run = LocalReduction(data, name, folder, workers)
    try:
        yield run
    finally:
        run.end()


def _claim(data: ScanReference, name: str, folder: Path) -> Claim:
    dataset, path = uuid4(), Path(data.path)
    file = InputFile(
        path=path,
        inner_path=data.inner_path,
        role="data",
        format=data.format,
        fingerprint=None,
        dataset_id=dataset,
    )
    return Claim(
        run_id=uuid4(),
        attempt_id=uuid4(),
        attempt_number=1,
        token=0,
        version=1,
        dataset_id=dataset,
        dataset_name=name,
        beamline="",
        technique="",
        flow="",
        recipe_version="",
        proposal=None,
        sample=None,
        parameters={},
        metadata={},
        inputs=[file],
        output_folder=folder / "v001",
        output_group="",
        output_mode="",
        already_completed=False,
        derived_id=None,
        folders=(path if path.is_dir() else path.parent,),
    )
