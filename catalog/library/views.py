"""What the outside sees of libraries and their spectra."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from catalog.queries.views import View


class LibraryView(View):
    """A spectral library."""

    name: str = Field(examples=["iron-standards"])
    description: str = ""
    licence: str = Field(default="", description="of its spectra that say nothing else")
    proposal: str | None = Field(default=None, description="whose it is alone; null: everybody's")
    spectra: int = Field(description="those that count")
    elements: list[str] = Field(examples=[["Cu", "Fe"]])
    created_at: datetime
    created_by: str


class SpectrumSummary(View):
    """A spectrum in a list."""

    id: UUID
    library: str = Field(examples=["iron-standards"])
    name: str = Field(examples=["Fe2O3_rt_01"])
    revision: int = Field(examples=[1])
    compound: str = Field(examples=["hematite"])
    formula: str | None = Field(default=None, examples=["Fe2O3"])
    element: str = Field(examples=["Fe"])
    edge: str = Field(examples=["K"])
    mode: str | None = Field(default=None, examples=["transmission"])
    origin: str = ""
    licence: str = ""
    points: int
    energy_min: float = Field(description="eV")
    energy_max: float = Field(description="eV")
    added_at: datetime
    added_by: str
    retired_at: datetime | None = Field(default=None, description="since when it does not count")


class SpectrumDetail(SpectrumSummary):
    """A spectrum with its numbers."""

    e0: float | None = Field(default=None, description="edge energy as declared, eV")
    metadata: dict[str, Any] = Field(default={}, description="what else the file told")
    file_name: str = ""
    format: str = ""
    digest: str = Field(description="of the numbers, with the name of its algorithm")
    retired_by: str | None = None
    retired_reason: str | None = None
    energy: list[float] = Field(description="eV")
    mu: list[float] = Field(description="absorption, not normalised")


class SpectrumFilter(BaseModel):
    """Which spectra of a library; everything that is given must fit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    element: str | None = Field(default=None, examples=["Fe"])
    edge: str | None = Field(default=None, examples=["K"])
    text: str | None = Field(
        default=None,
        max_length=200,
        description="words that all occur in its name, compound, formula or origin",
    )
    retired: bool = Field(default=False, description="those as well that no longer count")
