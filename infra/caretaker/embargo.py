"""Embargoes end when their date comes."""

import logging

from sqlalchemy.orm import Session

from catalog.access.embargo import release_due
from catalog.access.tokens import forget_logins
from infra.caretaker.job import Care, Job

LOG = logging.getLogger(__name__)
SECONDS = 60.0


def release(care: Care) -> None:
    """Publish what is due, some hundred datasets a transaction; forget logins of long ago."""
    while not care.stopped.is_set():
        with Session(care.engine) as session, session.begin():
            done = release_due(session)
            forget_logins(session)
        if done.published or done.held_back:
            LOG.info("embargoes over: %d published, %d held back", done.published, done.held_back)
        if not done.published:
            return


EMBARGO = Job("embargo", SECONDS, release)
