"""What to tell a person when a run did not get on for want of memory."""

from collections.abc import Iterator

from distributed.scheduler import KilledWorker

GIB = 2**30


def explain(error: BaseException) -> str:
    """Say in a sentence what ended an attempt.

    Parameters
    ----------
    error : BaseException
        What ended it, or one of its causes.

    Returns
    -------
    str
        With sizes and what to set, where memory was short.
    """
    for each in causes(error):
        if isinstance(each, KilledWorker):
            return _killed(each)
        if isinstance(each, MemoryError):
            return (
                f"Out of memory ({str(each) or 'no size was told'}): give the cluster's workers "
                "more (cluster.memory_limit, or fewer cluster.workers), or let fewer runs go on "
                "at once (runs.at_once)."
            )
    return f"{type(error).__name__}: {error}"


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, in turn."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _killed(error: KilledWorker) -> str:
    limit = getattr(error.last_worker, "memory_limit", 0)
    size = f"{limit / GIB:.1f} GiB" if limit else "no limit"
    return (
        f"{error.allowed_failures + 1} workers of the cluster died one after the other on the same "
        f"chunk, most likely for want of memory: each may use {size}. Give them more "
        "(cluster.memory_limit), have fewer of them (cluster.workers), or see the cluster's log "
        "for another reason."
    )
