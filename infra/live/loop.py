"""Looks at all datasets that grow, and keeps what is seen of them."""

import logging
import threading
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from catalog import live
from infra.live.follower import FOLLOWERS, Follower
from tasks.errors import DataError

LOG = logging.getLogger(__name__)
PAUSE_SECONDS, FORGET_SECONDS = 1.0, 60.0


class LiveLoop:
    """Follows datasets from their first images until they are complete.

    It only reads the data, and what goes wrong with it harms nothing: the reduction looks at the
    whole dataset by itself.

    Parameters
    ----------
    engine : Engine
        The catalogue.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._followers: dict[UUID, Follower] = {}

    def run(self, stopped: threading.Event) -> None:
        """Look again and again until told to stop."""
        rounds = 0
        while not stopped.is_set():
            try:
                self.step()
                if rounds % int(FORGET_SECONDS / PAUSE_SECONDS) == 0:
                    self._forget()
            except OperationalError as error:
                LOG.warning("the catalogue is away: %s", str(error.orig).strip())
            rounds += 1
            stopped.wait(PAUSE_SECONDS)

    def step(self) -> None:
        """Look once at each dataset that grows."""
        with Session(self._engine) as session:
            targets = live.growing(session, list(FOLLOWERS))
        growing = {target.dataset_id for target in targets}
        self._followers = {key: each for key, each in self._followers.items() if key in growing}
        for target in targets:
            if target.dataset_id not in self._followers:
                self._followers[target.dataset_id] = FOLLOWERS[target.technique](target)
            self._look(target)

    def _look(self, target: live.Target) -> None:
        try:
            seen = self._followers[target.dataset_id].look()
        except (DataError, OSError) as error:
            LOG.info("%s cannot be looked at yet: %s", target.name, error)
            return
        except Exception:
            LOG.exception("the live view of %s went wrong", target.name)
            return
        if seen is not None:
            with Session(self._engine) as session, session.begin():
                live.show(session, target.dataset_id, seen)

    def _forget(self) -> None:
        with Session(self._engine) as session, session.begin():
            live.forget(session)
