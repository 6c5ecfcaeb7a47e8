"""Answers that hold for one transaction, so that many like questions cost one."""

from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from sqlalchemy.orm import Session

T = TypeVar("T")

_PLACE = "dayseye_memo"


@contextmanager
def remembering(session: Session) -> Generator[None]:
    """Remember answers inside; leave it when anything of the transaction is rolled back."""
    session.info[_PLACE] = {}
    try:
        yield
    finally:
        del session.info[_PLACE]


def forget(session: Session) -> None:
    """Ask anew: a savepoint was rolled back, and rows may be gone with it."""
    if _PLACE in session.info:
        session.info[_PLACE] = {}


def once(session: Session, question: Hashable, ask: Callable[[], T]) -> T:
    """Return the answer to a question, asked once where the session remembers."""
    known = cast("dict[Hashable, Any] | None", session.info.get(_PLACE))
    if known is None:
        return ask()
    if question not in known:
        known[question] = ask()
    return known[question]
