"""Which errors are the services' and not the scan's: those runs are tried again."""

import errno

import httpx
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from sqlalchemy.exc import InterfaceError, OperationalError

_SERVICES = (
    OperationalError,
    InterfaceError,
    CommClosedError,
    FutureCancelledError,
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
        True for a database, cluster or server that was away, and for a full disk.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _SERVICES) or getattr(seen, "errno", None) in _FULL:
            return True
        seen = seen.__cause__
    return False
