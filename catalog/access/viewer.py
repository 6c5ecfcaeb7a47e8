"""Who looks: what they may see and change follows from their role and their grants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, literal, or_, true

from catalog.models import Dataset, Library
from catalog.states import Role


@dataclass(frozen=True)
class Viewer:
    """Somebody who asks the catalogue.

    Attributes
    ----------
    name
        How the history names them.
    role
        What the principal is; None for somebody who showed no token.
    grants
        The proposals whose data they may see, each with ``read`` or ``write``.
    sees_all
        Whether they see the data of the whole facility.
    sees_public
        Whether they see what is public.
    speaks_for_others
        Whether they are a program of the facility that says itself who asked.
    """

    name: str
    role: Role | None = None
    grants: Mapping[UUID, str] = field(default_factory=dict[UUID, str])
    sees_all: bool = False
    sees_public: bool = True
    speaks_for_others: bool = False

    def actor(self, named: str | None = None) -> str:
        """Return who the history names: who asks, or whom the installation's own token names."""
        return named if named and self.speaks_for_others else self.name

    @property
    def is_staff(self) -> bool:
        """Whether they may change everything."""
        return self.role == Role.STAFF

    @property
    def may_report(self) -> bool:
        """Whether they may report arrivals: staff, and the programs of the facility."""
        return self.role in (Role.STAFF, Role.SERVICE)

    def may_write(self, proposal: UUID | None) -> bool:
        """Tell whether they may change the data of a proposal; unassigned data are the staff's."""
        return self.is_staff or (proposal is not None and self.grants.get(proposal) == "write")

    def sees(self, dataset: Any = Dataset) -> ColumnElement[bool]:
        """Return the condition that a dataset fulfils which they may see.

        Parameters
        ----------
        dataset
            The mapped class, or an alias of it.
        """
        if self.sees_all:
            return true()
        return or_(
            dataset.visibility == self.open_visibility, dataset.proposal_id.in_(self.proposals)
        )

    def sees_library(self, library: Any = Library) -> ColumnElement[bool]:
        """Return the condition that a spectral library fulfils which they may see.

        One without a proposal is open to everybody, as public data are.
        """
        if self.sees_all:
            return true()
        is_open = and_(library.proposal_id.is_(None), literal(self.open_visibility) == "public")
        return or_(is_open, library.proposal_id.in_(self.proposals))

    @property
    def open_visibility(self) -> str:
        """The visibility that opens a dataset to them; no dataset has an empty one."""
        return "public" if self.sees_public else ""

    @property
    def proposals(self) -> list[UUID]:
        """The proposals whose data they may see."""
        return sorted(self.grants)


# the platform itself, and who sits at its machine: the command line needs no token
EVERYTHING = Viewer("platform", Role.STAFF, sees_all=True)
