"""Keeps the room for PostgreSQL, and tells people when it had to be given up."""

import logging

from sqlalchemy.orm import Session

from catalog import notifications
from infra.caretaker.job import Care
from infra.reserve import Reserve

LOG = logging.getLogger(__name__)
SUBJECT = "the reserve of PostgreSQL"


class Keeper:
    """Looks after the reserve; the database may be down meanwhile, and is told when it is back."""

    def __init__(self) -> None:
        self._told: bool | None = None

    def keep(self, care: Care) -> None:
        """Give the reserve up or make it, and tell what changed."""
        postgres = care.addresses.postgres
        if postgres is None:
            return
        reserve = Reserve.beside(postgres.data, care.settings.services.postgres_reserve_mb)
        if reserve.keep() == "given up":
            LOG.error("The disk of %s is full: the reserve is given up", reserve.path.parent)
        is_lost = bool(reserve.size) and not reserve.is_there
        if is_lost == self._told:
            return
        with Session(care.engine) as session, session.begin():
            if is_lost:
                notifications.begin(session, "low_disk", SUBJECT, _lost(reserve))
            else:
                notifications.end(session, "low_disk", SUBJECT)
        self._told = is_lost


def _lost(reserve: Reserve) -> str:
    return (
        f"The disk of PostgreSQL ({reserve.path.parent}) is almost full: its reserve of "
        f"{reserve.size / 1e6:.0f} MB is given up. Make room: without any, the platform stops."
    )
