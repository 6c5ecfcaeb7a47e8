"""The tables of the catalogue."""

from catalog.models.base import Base, uuid7
from catalog.models.dataset import Calibration, Dataset, DatasetCalibration, DatasetFile
from catalog.models.history import LifecycleEvent, Transition, VerdictRecord
from catalog.models.place import Beamline, FlowSchema, Proposal, Sample, Storage, Visit
from catalog.models.run import Attempt, Dispatch, Inbox, Lineage, Run, Step

__all__ = [
    "Attempt",
    "Base",
    "Beamline",
    "Calibration",
    "Dataset",
    "DatasetCalibration",
    "DatasetFile",
    "Dispatch",
    "FlowSchema",
    "Inbox",
    "LifecycleEvent",
    "Lineage",
    "Proposal",
    "Run",
    "Sample",
    "Step",
    "Storage",
    "Transition",
    "VerdictRecord",
    "Visit",
    "uuid7",
]
