"""The tables of the catalogue."""

from catalog.models.access import AccessGrant, AccessToken, Principal
from catalog.models.base import Base, uuid7
from catalog.models.custody import Hold, Replica, ReplicaFile
from catalog.models.dataset import Calibration, Dataset, DatasetCalibration, DatasetFile, Series
from catalog.models.history import (
    LifecycleEvent,
    Notification,
    Transition,
    VerdictRecord,
)
from catalog.models.library import Library, RetirementRecord, SpectrumRecord
from catalog.models.live import LiveView
from catalog.models.place import (
    Beamline,
    FlowSchema,
    Proposal,
    Sample,
    Storage,
    TriggerStatus,
    Visit,
)
from catalog.models.run import Attempt, Dispatch, Inbox, Lineage, Run, Step

__all__ = [
    "AccessGrant",
    "AccessToken",
    "Attempt",
    "Base",
    "Beamline",
    "Calibration",
    "Dataset",
    "DatasetCalibration",
    "DatasetFile",
    "Dispatch",
    "FlowSchema",
    "Hold",
    "Inbox",
    "Library",
    "LifecycleEvent",
    "Lineage",
    "LiveView",
    "Notification",
    "Principal",
    "Proposal",
    "Replica",
    "ReplicaFile",
    "RetirementRecord",
    "Run",
    "Sample",
    "Series",
    "SpectrumRecord",
    "Step",
    "Storage",
    "Transition",
    "TriggerStatus",
    "VerdictRecord",
    "Visit",
    "uuid7",
]
