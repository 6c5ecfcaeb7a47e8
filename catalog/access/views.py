"""What the outside sees of principals, tokens and grants."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class PrincipalView(_View):
    """A person or a program."""

    name: str = Field(examples=["li.wei"])
    role: str = Field(examples=["user", "staff", "service"])
    disabled_at: datetime | None = None


class TokenView(_View):
    """A token, without its secret."""

    id: UUID
    principal: str
    role: str
    label: str = ""
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class NewToken(TokenView):
    """A token that was made just now."""

    token: str = Field(description="the secret; it is shown this once and kept nowhere")


class GrantView(_View):
    """A principal's right to the data of a proposal."""

    principal: str
    proposal: str = Field(examples=["2026-0117"])
    level: str = Field(examples=["read", "write"])
    granted_by: str
    granted_at: datetime
    revoked_by: str | None = None
    revoked_at: datetime | None = None
