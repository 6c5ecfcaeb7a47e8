"""The states of datasets, runs and attempts.

Which moves are legal stands in the database (table ``transition``), which refuses all others.
"""

from enum import StrEnum


class Kind(StrEnum):
    """What a dataset is."""

    RAW = "raw"
    CALIBRATION = "calibration"
    DERIVED = "derived"


class DatasetState(StrEnum):
    """Where a dataset stands; whether it has a current result is a separate line."""

    REGISTERED = "registered"
    ACQUIRED = "acquired"
    VALIDATED = "validated"
    QUARANTINED = "quarantined"
    INCOMPLETE = "incomplete"
    ABORTED = "aborted"
    WAITING_FOR_CALIBRATION = "waiting_for_calibration"


class RunState(StrEnum):
    """Where a run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AttemptState(StrEnum):
    """How an attempt of a run ended; ``lost`` means that its process died or was overtaken."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"


class Lane(StrEnum):
    """Which queue a run stands in; live work goes first."""

    LIVE = "live"
    REPROCESS = "reprocess"


class Verdict(StrEnum):
    """What a result is worth: a banner, never a veil."""

    OK = "ok"
    CHECK = "check"
    BAD = "bad"


class Role(StrEnum):
    """What a principal is: a user, the facility's staff, or a program that reports arrivals."""

    USER = "user"
    STAFF = "staff"
    SERVICE = "service"
