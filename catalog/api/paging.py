"""Pages of a list: by key, so that what lands meanwhile moves nothing."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, Field


class PageQuery(BaseModel):
    """Which page."""

    cursor: UUID | None = Field(default=None, description="`next_cursor` of the page before")
    limit: int = Field(default=50, ge=1, le=200, description="how many on a page")
