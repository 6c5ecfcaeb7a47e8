"""What care of the data tells, for the command line and the API."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class View(BaseModel):
    """Values to show."""

    model_config = ConfigDict(frozen=True)


class Finding(View):
    """A file whose bytes are not what they must be, or that is not there."""

    where: str = Field(description="'original', or the place of the copy")
    path: str
    problem: str = Field(description="a sentence")


class Copy(View):
    """A copy of a dataset in another place."""

    place: str
    state: str = Field(description="copying, verified, damaged or gone")
    files: int
    bytes: int
    created_at: datetime
    verified_at: datetime | None
    retention_until: datetime | None
    note: str | None = None


class Archived(View):
    """What came of a wish for a copy."""

    dataset_id: UUID
    name: str
    place: str
    state: str
    files: int
    bytes: int
    copied: int = Field(description="files that were copied now; the others were there already")


class Verified(View):
    """What a look at every byte of a dataset and its copies has found."""

    dataset_id: UUID
    name: str
    files: int = Field(description="files that were read, originals and copies")
    bytes: int
    findings: list[Finding]


class Purgeable(View):
    """A dataset that a purge looked at: what it would free, or why it may not go."""

    dataset_id: UUID
    name: str
    kind: str
    files: int
    bytes: int
    allowed: bool
    reason: str = Field(description="what keeps it, or which copy stands for it")


class Purged(View):
    """What became of a purge of a dataset."""

    dataset_id: UUID
    name: str
    removed: int = Field(description="files that were removed now")
    bytes: int
    left: list[str] = Field(description="files that were left, each with the reason")


class HoldView(View):
    """A person's word that a dataset must stay."""

    reason: str
    actor: str
    created_at: datetime
    released_at: datetime | None
    released_by: str | None


class Custody(View):
    """Where a dataset lies besides the original, and who holds it."""

    dataset_id: UUID
    purged_at: datetime | None
    copies: list[Copy]
    holds: list[HoldView]
