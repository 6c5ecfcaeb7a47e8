"""Who may see what: people and programs, their tokens, and grants per proposal."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from catalog.models.base import Base, one_of, uuid7
from catalog.states import Role


class Principal(Base):
    """A person or a program. Staff see all of the facility; users what they were granted."""

    __tablename__ = "principal"
    __table_args__ = (CheckConstraint(one_of("role", Role), name="role"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    disabled_at: Mapped[datetime | None]


class AccessToken(Base):
    """A secret that a principal shows; only its SHA-256 digest is kept.

    ``label`` says what it is for; a browser's login is one as well, and ends by itself.
    """

    __tablename__ = "access_token"
    __table_args__ = (Index("ix_access_token_principal_id", "principal_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principal.id"))
    digest: Mapped[str] = mapped_column(unique=True)
    label: Mapped[str] = mapped_column(server_default=text("''"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AccessGrant(Base):
    """A principal's right to the data of a proposal, until it is revoked."""

    __tablename__ = "access_grant"
    __table_args__ = (
        CheckConstraint("level IN ('read', 'write')", name="level"),
        Index(
            "uq_access_grant_open",
            "principal_id",
            "proposal_id",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principal.id"))
    proposal_id: Mapped[UUID] = mapped_column(ForeignKey("proposal.id"))
    level: Mapped[str]
    granted_by: Mapped[str]
    granted_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None]
