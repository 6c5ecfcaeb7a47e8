"""Questions to the catalogue: one set of answers for the API, the pages and the command line."""

from catalog.queries.datasets import choices, list_datasets
from catalog.queries.detail import dataset_detail
from catalog.queries.files import served_file, storages
from catalog.queries.filters import DatasetFilter, RunFilter
from catalog.queries.history import history
from catalog.queries.lineage import lineage
from catalog.queries.runs import list_runs, run_detail
from catalog.queries.status import outbox, schema_version, status
from catalog.queries.status_views import BeamlineState, Disk, Outbox, Status, TriggerState
from catalog.queries.views import (
    DatasetDetail,
    DatasetSummary,
    Lineage,
    LineageEdge,
    LineageNode,
    Page,
    RunDetail,
    RunSummary,
    ServedFile,
    Storage,
)

__all__ = [
    "BeamlineState",
    "DatasetDetail",
    "DatasetFilter",
    "DatasetSummary",
    "Disk",
    "Lineage",
    "LineageEdge",
    "LineageNode",
    "Outbox",
    "Page",
    "RunDetail",
    "RunFilter",
    "RunSummary",
    "ServedFile",
    "Status",
    "Storage",
    "TriggerState",
    "choices",
    "dataset_detail",
    "history",
    "lineage",
    "list_datasets",
    "list_runs",
    "outbox",
    "run_detail",
    "schema_version",
    "served_file",
    "status",
    "storages",
]
