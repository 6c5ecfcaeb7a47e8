"""A job of the caretaker, what it works with, and the thread that does it again and again."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from catalog.errors import CatalogError
from infra.addresses import Addresses
from infra.settings import Settings

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Care:
    """What the jobs work with.

    Attributes
    ----------
    engine : Engine
        The catalogue, in the application's role.
    addresses : Addresses
        Where everything is.
    stopped : Event
        Set when the platform stops: a long job looks at it between two pieces of work.
    """

    engine: Engine
    addresses: Addresses
    stopped: threading.Event

    @property
    def settings(self) -> Settings:
        """The settings of the platform."""
        return self.addresses.settings


@dataclass(frozen=True)
class Job:
    """Something to do every so many seconds.

    Attributes
    ----------
    name : str
        Of its thread and in the log.
    seconds : float
        The pause between two times; the first time is at the start.
    do : callable
        Does it once. What it raises is logged, and it is tried again after the same pause.
    """

    name: str
    seconds: float
    do: Callable[[Care], None]

    def follow(self, care: Care) -> None:
        """Do it until the platform stops."""
        while not care.stopped.is_set():
            self.once(care)
            care.stopped.wait(self.seconds)

    def once(self, care: Care) -> None:
        """Do it once; whatever goes wrong ends neither this job nor another one."""
        try:
            self.do(care)
        except OperationalError as error:
            LOG.warning("%s: the catalogue is away: %s", self.name, str(error.orig).strip())
        except CatalogError as error:
            LOG.error("%s: %s", self.name, error)
        except Exception:
            LOG.exception("%s went wrong; it is tried again in %.0f s", self.name, self.seconds)
