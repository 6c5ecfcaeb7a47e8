"""What every request needs: the database, the addresses, the token."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog.access import AnonymousMode, ViewedSession, Viewer


@dataclass(frozen=True)
class Service:
    """What the application was created with."""

    engine: Engine
    public_url: str
    prefect_ui_url: str
    token: str = field(repr=False)
    anonymous: AnonymousMode = "public"
    archive_place: str | None = None

    def flow_run_url(self, flow_run_id: str) -> str:
        """Return where the Prefect UI shows a flow run."""
        return f"{self.prefect_ui_url}/runs/flow-run/{flow_run_id}"

    @contextmanager
    def snapshot(self, viewer: Viewer) -> Generator[Session]:
        """Open a read-only session in which a viewer sees the catalogue at one moment.

        A page is made of several queries; a run that completes between two of them must not show
        a result without its files. The connection is given back when the block ends, before the
        response is sent: a slow download holds none.
        """
        engine = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        with ViewedSession(engine, viewer) as session:
            yield session


def get_service(request: Request) -> Service:
    """Return what the application was created with."""
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(get_service)]
