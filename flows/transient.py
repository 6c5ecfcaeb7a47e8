"""Which errors pass by themselves and are not the scan's: those runs are tried again."""

import errno

import httpx
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker
from sqlalchemy.exc import InterfaceError, OperationalError

from flows.memory import causes
from tasks.errors import StillBeingWritten

_PASSING = (
    StillBeingWritten,
    OperationalError,
    InterfaceError,
    CommClosedError,
    FutureCancelledError,
    KilledWorker,
    httpx.TransportError,
    ConnectionError,
    TimeoutError,
)
_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_transient(error: BaseException) -> bool:
    """Tell whether a later attempt may succeed without anybody changing anything.

    Parameters
    ----------
    error : BaseException
        What ended the attempt, or one of its causes.

    Returns
    -------
    bool
        True for a database, cluster or server that was away, for workers that died, for a full
        disk, and for a file that somebody writes.
    """
    return any(
        isinstance(each, _PASSING) or getattr(each, "errno", None) in _FULL
        for each in causes(error)
    )
