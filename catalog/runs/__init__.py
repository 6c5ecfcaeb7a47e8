"""Runs: opened, claimed by an attempt, kept alive, and ended, always behind the fence."""

from catalog.errors import Fenced
from catalog.runs.claiming import Claim, InputFile, claim
from catalog.runs.ending import (
    MadeCalibration,
    OutputFile,
    cancel,
    cancel_run,
    complete,
    fail,
    give_back,
)
from catalog.runs.opening import open_run, request_run, run_key
from catalog.runs.progress import StepRecord, heartbeat, record_steps, set_stage

__all__ = [
    "Claim",
    "Fenced",
    "InputFile",
    "MadeCalibration",
    "OutputFile",
    "StepRecord",
    "cancel",
    "cancel_run",
    "claim",
    "complete",
    "fail",
    "give_back",
    "heartbeat",
    "open_run",
    "record_steps",
    "request_run",
    "run_key",
    "set_stage",
]
