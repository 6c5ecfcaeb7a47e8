"""What a list can be narrowed to; everything that is given must fit."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from catalog.states import DatasetState, Kind, RunState, Verdict


class DatasetFilter(BaseModel):
    """Which datasets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    beamline: str | None = Field(default=None, examples=["imaging"])
    technique: str | None = Field(default=None, examples=["ct"])
    proposal: str | None = Field(default=None, examples=["2026-0117"])
    sample: str | None = None
    state: DatasetState | None = None
    kind: Kind | None = None
    verdict: Verdict | None = Field(default=None, description="of a derived dataset")
    parent: UUID | None = Field(default=None, description="the series that they are scans of")
    since: AwareDatetime | None = Field(default=None, description="taken at this time or later")
    until: AwareDatetime | None = Field(default=None, description="taken before this time")
    text: str | None = Field(
        default=None,
        max_length=200,
        description="words that all occur in its name, sample, proposal or title; any language",
        examples=["牙齿"],
    )


class RunFilter(BaseModel):
    """Which runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: RunState | None = None
    beamline: str | None = Field(default=None, examples=["imaging"])
    flow: str | None = Field(default=None, examples=["ct-reduction"])
