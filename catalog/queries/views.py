"""What the queries return: the same words for the API, the pages and the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")

SCAN_ID = "0197c4be-6d5e-7c0a-9c11-3f2f6a1f9b10"
RESULT_ID = "0197c4be-9a02-7b3d-8a5e-51d0c7be2a44"
RUN_ID = "0197c4be-7f10-7d21-b1c8-0d7be2f1a9c2"


class View(BaseModel):
    """A row as the outside sees it."""

    model_config = ConfigDict(frozen=True)


class Page(View, Generic[T]):
    """A part of a list, newest first."""

    items: list[T]
    next_cursor: UUID | None = Field(
        None, description="pass it as `cursor` to get what is older; null on the last page"
    )


class FileView(View):
    """A file of a dataset."""

    id: UUID
    path: str = Field(
        description="relative to its storage", examples=["2026-1/tooth/v001/axis.png"]
    )
    storage: str = Field(examples=["processed"])
    inner_path: str = Field(
        default="", description="where in the file, for a file that holds many scans"
    )
    role: str = Field(examples=["data", "flat", "preview", "volume"])
    size: int = Field(description="bytes", examples=[262_144])
    count: int = Field(default=1, description="how many files, for a numbered series")
    gone_at: datetime | None = Field(
        default=None, description="when a later sighting no longer found it here"
    )
    fingerprint: str | None = Field(default=None, description="cheap, taken at arrival")
    digest: str | None = Field(default=None, description="full, with the name of its algorithm")
    media_type: str | None = Field(default=None, examples=["image/png"])
    content_url: str | None = Field(
        default=None, description="only files of derived datasets are served"
    )


class Preview(View):
    """A picture of a result."""

    file_id: UUID
    dataset_id: UUID
    name: str = Field(examples=["slice_z"])
    url: str


class Progress(View):
    """How far a run is."""

    run_id: UUID = Field(examples=[RUN_ID])
    state: str = Field(examples=["running"])
    stage: str = Field(default="", examples=["rotation axis"])
    figures: dict[str, Any] = Field(default={}, examples=[{"rotation_axis": 295.3}])
    reason: str | None = Field(default=None, description="why it failed or was cancelled")


class Result(View):
    """One version of what a scan was reduced to."""

    dataset_id: UUID = Field(examples=[RESULT_ID])
    name: str = Field(examples=["tooth v001"])
    version: int = Field(examples=[1])
    is_current: bool = Field(description="the version that counts; a later one replaces it")
    verdict: str | None = Field(default=None, examples=["ok", "check", "bad"])
    reasons: list[str] = Field(default=[], description="why the verdict is not ok")
    run_id: UUID | None = Field(default=None, examples=[RUN_ID])
    created_at: datetime
    previews: list[Preview] = []


class DatasetSummary(View):
    """A dataset in a list."""

    id: UUID = Field(examples=[SCAN_ID])
    name: str = Field(examples=["tooth"])
    kind: str = Field(examples=["raw", "calibration", "derived"])
    state: str = Field(examples=["validated"])
    reason: str | None = Field(
        default=None, description="why it is in this state, where that needs saying"
    )
    beamline: str = Field(examples=["imaging"])
    technique: str = Field(examples=["ct"])
    proposal: str | None = Field(default=None, examples=["2026-0117"])
    visit: str | None = None
    sample: str | None = Field(default=None, examples=["牙齿 3"])
    taken_at: datetime = Field(description="when the scan began, else when it was first seen")
    registered_at: datetime = Field(description="when it was first seen here")
    result: Result | None = Field(default=None, description="the current result")
    run: Progress | None = Field(default=None, description="the latest run")


class EventView(View):
    """Something that happened to a dataset; events are only ever added."""

    at: datetime
    event: str = Field(examples=["acquired"])
    level: str = Field(default="info", examples=["info", "alarm"])
    run_id: UUID | None = Field(
        default=None, description="set when it happened to a run of the dataset"
    )
    run_version: int | None = None
    from_state: str | None = None
    to_state: str | None = None
    actor: str = Field(examples=["trigger"])
    reason: str | None = None
    details: dict[str, Any] = {}


class CalibrationView(View):
    """A calibration that a scan is reduced with."""

    dataset_id: UUID
    name: str
    role: str = Field(examples=["flat"])
    state: str


class QualityFigure(View):
    """A number that says how good a result is."""

    name: str = Field(examples=["rotation_axis"])
    value: Any = Field(examples=[295.3])
    unit: str = Field(default="", examples=["px"])


class AttemptView(View):
    """One try at a run."""

    id: UUID
    number: int = Field(examples=[1])
    state: str = Field(examples=["completed"])
    host: str
    pid: int
    started_at: datetime
    ended_at: datetime | None = None
    heartbeat_at: datetime = Field(description="when its process was last heard of")
    reason: str | None = Field(default=None, description="why it failed, was cancelled or is lost")
    flow_run_id: str = Field(description="the run in the Prefect UI")
    flow_run_url: str | None = None
    machine: dict[str, Any] | None = Field(
        default=None, description="hardware, driver, software and its digests"
    )


class StepView(View):
    """One algorithm's work in a run."""

    algorithm: str = Field(examples=["ct.reconstruct"])
    version: str = Field(examples=["1"])
    implementation: str = Field(examples=["finufft"])
    device: str = Field(examples=["cpu"])
    stage: str = Field(examples=["reconstruct"])
    attempt: int = Field(description="the number of the attempt", examples=[1])
    calls: int = Field(examples=[8])
    seconds: float = Field(examples=[2.4])
    parameters: dict[str, Any]
    packages: dict[str, Any]
    rejected: list[Any] = Field(description="implementations that were not used, and why")


class RunSummary(View):
    """A run in a list."""

    id: UUID = Field(examples=[RUN_ID])
    dataset_id: UUID = Field(examples=[SCAN_ID])
    dataset_name: str = Field(examples=["tooth"])
    beamline: str = Field(examples=["imaging"])
    flow: str = Field(examples=["ct-reduction"])
    state: str = Field(examples=["completed"])
    version: int = Field(description="of the result that it makes", examples=[1])
    lane: str = Field(examples=["live", "reprocess"])
    actor: str = Field(examples=["trigger"])
    reason: str = Field(description="why it was asked for")
    outcome: str | None = Field(default=None, description="why it failed or was cancelled")
    waits_for: str | None = Field(
        default=None,
        description="why one that waits was not sent yet",
        examples=["bl07 is paused by staff: the detector is being changed"],
    )
    verdict: str | None = None
    stage: str = Field(default="", examples=["rotation axis"])
    figures: dict[str, Any] = {}
    attempts: int = Field(examples=[1])
    created_at: datetime
    started_at: datetime | None = Field(default=None, description="of its first attempt")
    ended_at: datetime | None = None
    seconds: float | None = Field(
        default=None, description="from the first attempt to the end, or to now"
    )
    flow_run_id: str | None = Field(default=None, description="the newest one in the Prefect UI")
    flow_run_url: str | None = None


class RunDetail(RunSummary):
    """A run with its attempts and steps."""

    parent_run_id: UUID | None = Field(default=None, description="the run that this one repeats")
    run_key: str = Field(description="digest of inputs, flow, recipe version and parameters")
    recipe_version: str
    parameters: dict[str, Any]
    result: Result | None = None
    quality: list[QualityFigure] = []
    attempt_list: list[AttemptView] = []
    steps: list[StepView] = []


class LiveSummary(View):
    """What is seen of a dataset that is still being written."""

    seen: int = Field(description="images so far", examples=[120])
    planned: int | None = Field(description="images to come in all; null if nobody says")
    note: str
    picture_url: str = Field(description="of a PNG that grows")


class DatasetDetail(DatasetSummary):
    """A dataset with everything that the catalogue knows of it."""

    entry_key: str = Field(description="what makes it one dataset of its beamline")
    parent: UUID | None = Field(default=None, description="the series that it is a scan of")
    members: int = Field(default=0, description="of a series: how many scans it has")
    detector: str
    visibility: str = Field(examples=["embargoed"])
    embargo_until: datetime | None = Field(default=None, description="when it becomes public")
    purged_at: datetime | None = Field(
        default=None, description="when its files were removed here; a copy stands for them"
    )
    metadata: dict[str, Any] = {}
    files: list[FileView] = []
    calibrations: list[CalibrationView] = []
    waits_for: list[str] = Field(default=[], description="kinds of calibration that it still lacks")
    events: list[EventView] = []
    runs: list[RunSummary] = []
    versions: list[Result] = Field(default=[], description="what it was reduced to, newest first")
    previews: list[Preview] = []
    verdict: str | None = None
    reasons: list[str] = []
    quality: list[QualityFigure] = []
    recipe: dict[str, Any] = Field(default={}, description="of the result that is shown")
    live: LiveSummary | None = Field(
        default=None, description="what is seen of it until there is a result"
    )
    made_by: RunDetail | None = Field(
        default=None, description="the run that made a derived dataset"
    )


class LineageNode(View):
    """A dataset or a run in the lineage."""

    id: UUID
    type: str = Field(examples=["dataset", "run"])
    kind: str = Field(description="of a dataset: raw, calibration, derived; of a run: its flow")
    name: str
    state: str
    verdict: str | None = None


class LineageEdge(View):
    """What went into a run or came out of it."""

    source: UUID
    target: UUID
    role: str = Field(examples=["data", "flat", "result"])


class Lineage(View):
    """Where a dataset comes from and what was made of it."""

    dataset_id: UUID
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    truncated: bool = Field(default=False, description="there is more than is shown")


class ServedFile(View):
    """What the API must know to send a file."""

    id: UUID
    kind: str
    storage: str
    root: str
    path: str
    size: int
    digest: str | None
    media_type: str | None
    purged_at: datetime | None = None


class Storage(View):
    """A place where files lie: a file's path is relative to its root."""

    name: str
    root: str
