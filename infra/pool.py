"""The work pool in Prefect and its queues."""

from dataclasses import dataclass

POOL = "dayseye"
POOL_TYPE = "warm"


@dataclass(frozen=True)
class Queue:
    """A queue of the work pool; 1 goes first."""

    priority: int
    description: str


QUEUES = {
    "live": Queue(1, "What lands now."),
    "reprocess": Queue(2, "What a person asks for; waits while live work does."),
}
BATCH_FLOW = "batch"
"""The flow that carries a batch of quick scans; a technique's deployment of it is named so."""
