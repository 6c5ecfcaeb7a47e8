"""Datasets: what landed, what was made of it, and how."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from catalog import queries
from catalog.api.paging import PageQuery
from catalog.api.problems import not_found, responses
from catalog.api.security import ReaderDep
from catalog.api.service import ServiceDep
from catalog.queries import DatasetDetail, DatasetFilter, DatasetSummary, Lineage, Page

router = APIRouter(prefix="/api/datasets", tags=["datasets"])


class DatasetQuery(DatasetFilter, PageQuery):
    """Which datasets, and which page of them."""


@router.get("", responses=responses(HTTPStatus.UNPROCESSABLE_ENTITY))
def list_datasets(
    service: ServiceDep, viewer: ReaderDep, query: Annotated[DatasetQuery, Query()]
) -> Page[DatasetSummary]:
    """List datasets, newest first, with their current result and latest run."""
    with service.snapshot(viewer) as session:
        return queries.list_datasets(session, query, cursor=query.cursor, limit=query.limit)


@router.get("/{dataset_id}", responses=responses(HTTPStatus.NOT_FOUND))
def get_dataset(dataset_id: UUID, service: ServiceDep, viewer: ReaderDep) -> DatasetDetail:
    """Show a dataset with its files, lifecycle, runs, versions, previews and verdict."""
    with service.snapshot(viewer) as session:
        detail = queries.dataset_detail(session, dataset_id, flow_run_url=service.flow_run_url)
    if detail is None:
        raise not_found("dataset", dataset_id)
    return detail


@router.get("/{dataset_id}/lineage", responses=responses(HTTPStatus.NOT_FOUND))
def get_lineage(dataset_id: UUID, service: ServiceDep, viewer: ReaderDep) -> Lineage:
    """Show where a dataset comes from and what was made of it."""
    with service.snapshot(viewer) as session:
        lineage = queries.lineage(session, dataset_id)
    if lineage is None:
        raise not_found("dataset", dataset_id)
    return lineage
