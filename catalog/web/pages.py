"""The pages: datasets, a dataset, runs, a run, status."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ValidationInfo, field_validator

from catalog import queries
from catalog.api.health import get_status
from catalog.api.problems import not_found
from catalog.api.security import OperatorDep, ReaderDep
from catalog.api.service import Service, ServiceDep
from catalog.queries import DatasetDetail, DatasetFilter, RunFilter
from catalog.states import DatasetState, Kind, RunState
from catalog.web.lineage_svg import draw
from catalog.web.templating import page

router = APIRouter()
static = StaticFiles(directory=Path(__file__).parent / "static")

PAGE = 40


class Search(BaseModel):
    """What a form sends: an empty field means any."""

    cursor: UUID | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_any(cls, value: Any, info: ValidationInfo) -> Any:
        return cls.model_fields[info.field_name or ""].default if value == "" else value

    def address(self, **changes: UUID | None) -> str:
        """Return this search as the query of an address."""
        values = self.model_dump(exclude_defaults=True) | changes
        return "?" + urlencode({name: value for name, value in values.items() if value})


class DatasetSearch(Search):
    """The search of the page of datasets."""

    text: str | None = None
    kind: Literal["raw", "calibration", "derived", "all"] = "raw"
    beamline: str | None = None
    technique: str | None = None
    proposal: str | None = None
    state: DatasetState | None = None
    parent: UUID | None = None

    @property
    def is_narrow(self) -> bool:
        """Tell whether something was searched for."""
        return bool(self.model_dump(exclude_defaults=True))

    def filters(self) -> DatasetFilter:
        """Return the search in the catalogue's words."""
        values = self.model_dump(exclude={"cursor", "kind"}, exclude_none=True)
        return DatasetFilter(**values, kind=None if self.kind == "all" else Kind(self.kind))


class RunSearch(Search):
    """The search of the page of runs."""

    state: RunState | None = None


@dataclass(frozen=True)
class Rerun:
    """How a person reduces a dataset again."""

    command: str
    prefect_url: str | None


@router.get("/")
def datasets_page(
    request: Request,
    service: ServiceDep,
    viewer: ReaderDep,
    query: Annotated[DatasetSearch, Query()],
) -> HTMLResponse:
    """Show what landed."""
    with service.snapshot(viewer) as session:
        found = queries.list_datasets(session, query.filters(), cursor=query.cursor, limit=PAGE)
        choices = queries.choices(session)
        status = queries.status(session) if viewer.sees_all else None
    return page(request, "datasets.html", page=found, query=query, choices=choices, status=status)


@router.get("/datasets/{dataset_id}")
def dataset_page(
    request: Request, dataset_id: UUID, service: ServiceDep, viewer: ReaderDep
) -> HTMLResponse:
    """Show a dataset: verdict, pictures, figures, files, history, lineage."""
    with service.snapshot(viewer) as session:
        dataset = queries.dataset_detail(session, dataset_id, flow_run_url=service.flow_run_url)
        lineage = queries.lineage(session, _drawn(dataset) if dataset else dataset_id)
    if dataset is None or lineage is None:
        raise not_found("dataset", dataset_id)
    return page(
        request,
        "dataset.html",
        dataset=dataset,
        lineage=lineage,
        drawing=draw(lineage),
        rerun=_rerun(dataset, service),
    )


def _drawn(dataset: DatasetDetail) -> UUID:
    """Return whose lineage tells most: of a series, which is made of others' results, its own."""
    return dataset.result.dataset_id if dataset.members and dataset.result else dataset.id


def _rerun(dataset: DatasetDetail, service: Service) -> Rerun | None:
    """Return how, with the axis that was found, so that it needs only to be corrected."""
    run = dataset.made_by or next(iter(dataset.runs), None)
    if run is None:
        return None
    arguments = ["dayseye", "reduce", str(run.dataset_id)]
    axis = next((f.value for f in dataset.quality if f.name == "rotation_axis"), None)
    if isinstance(axis, int | float):
        arguments += ["--set", f"rotation_axis={axis:.2f}"]
    url = service.flow_run_url(run.flow_run_id) if run.flow_run_id else None
    return Rerun(shlex.join(arguments), url)


@router.get("/runs")
def runs_page(
    request: Request, service: ServiceDep, viewer: ReaderDep, query: Annotated[RunSearch, Query()]
) -> HTMLResponse:
    """Show what was done and what is being done."""
    wanted = RunFilter(state=query.state)
    with service.snapshot(viewer) as session:
        found = queries.list_runs(session, wanted, cursor=query.cursor, limit=PAGE)
    states = [str(state) for state in RunState]
    return page(request, "runs.html", page=found, query=query, states=states)


@router.get("/runs/{run_id}")
def run_page(
    request: Request, run_id: UUID, service: ServiceDep, viewer: ReaderDep
) -> HTMLResponse:
    """Show a run: attempts, steps, recipe, verdict."""
    with service.snapshot(viewer) as session:
        run = queries.run_detail(session, run_id, flow_run_url=service.flow_run_url)
    if run is None:
        raise not_found("run", run_id)
    return page(request, "run.html", run=run)


@router.get("/status")
def status_page(request: Request, service: ServiceDep, viewer: OperatorDep) -> HTMLResponse:
    """Show how the platform stands."""
    return page(request, "status.html", status=get_status(service, viewer))
