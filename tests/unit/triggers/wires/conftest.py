"""A beamline with wires, and what they brought into the inbox of a real catalogue."""

import threading
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.models import Inbox, TriggerStatus
from triggers import wires


@dataclass
class Heard:
    """What stands in the catalogue."""

    engine: Engine

    def status(self, kind):
        with Session(self.engine) as session:
            found = session.get(TriggerStatus, ("imaging", kind))
        return found or TriggerStatus(state="not yet")

    def rows(self):
        with Session(self.engine) as session:
            return session.scalars(select(Inbox).order_by(Inbox.id)).all()

    def ended(self):
        return [row for row in self.rows() if row.payload.get("stage") in ("finished", "aborted")]


@pytest.fixture
def heard(catalog_engine):
    return Heard(catalog_engine)


@pytest.fixture
def published(catalog_engine, make_beamline):
    """Publish a beamline with more triggers."""

    def publish(**triggers):
        beamline = make_beamline(triggers=triggers)
        with Session(catalog_engine) as session, session.begin():
            recipes.publish_beamline(
                session,
                id=beamline.id,
                name=beamline.id,
                technique="ct",
                flow=None,
                folders=beamline.folders,
                output_template=beamline.output,
            )
        return beamline

    return publish


@pytest.fixture
def listen(catalog_engine, heard, published, wait_for):
    """Start the wires of a beamline; they end with the test."""
    stop, threads = threading.Event(), []

    def start(state="listening", **triggers):
        beamline = published(**triggers)
        threads.extend(wires.start([beamline], catalog_engine, stop))
        kind = next(iter(triggers))
        wait_for(lambda: heard.status(kind).state == state)
        return beamline

    yield start
    stop.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
