"""Sends the messages that wait for people: each group once per channel, until it is taken."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog import notifications
from catalog.notifications import Group
from infra.caretaker.job import Care
from infra.notify import Channel, NotDelivered, channels, text

LOG = logging.getLogger(__name__)
FIRST_PAUSE = timedelta(seconds=10)


def send_messages(care: Care) -> None:
    """Close the groups that are ripe, and send what is due."""
    settings = care.settings.notifications
    ways = channels(settings, care.addresses.public_url)
    send(care.engine, ways, timedelta(seconds=settings.group_seconds))


def send(engine: Engine, ways: Sequence[Channel], group_after: timedelta) -> int:
    """Send what is due through all channels; return how many groups are done with.

    Without a channel a group is logged and done with: whoever sets one later is not flooded with
    what is long over.
    """
    with Session(engine) as session, session.begin():
        notifications.group(session, group_after)
        waiting = notifications.due(session)
    return sum(_send_group(engine, ways, each) for each in waiting)


def _send_group(engine: Engine, ways: Sequence[Channel], group: Group) -> bool:
    if not ways:
        LOG.warning("Nobody is told (no webhook, no e-mail is set): %s", text(group, "").strip())
    errors: list[str] = []
    for way in ways:
        if way.name in group.delivered:
            continue
        try:
            way.send(group)
        except NotDelivered as error:
            errors.append(str(error))
            continue
        with Session(engine) as session, session.begin():
            notifications.delivered(session, group.id, way.name)
    with Session(engine) as session, session.begin():
        if errors:
            notifications.failed(session, group.id, "; ".join(errors), FIRST_PAUSE)
        else:
            notifications.sent(session, group.id)
    for error in errors:
        LOG.warning("A message about %s waits: %s", group.kind, error)
    return not errors
