"""Which datasets stand on a page: only their ids, so that the plan stays a walk along an index."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    false,
    or_,
    select,
    true,
    tuple_,
    union,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from catalog.access.scope import viewer_of
from catalog.access.viewer import Viewer
from catalog.models import Dataset, Proposal, Sample
from catalog.queries.filters import DatasetFilter

Keys = tuple[InstrumentedAttribute[Any], ...]
Conditions = list[ColumnElement[bool]]
# makes a page of what fits one more condition
Pages = Callable[[ColumnElement[bool]], Select[Any]]

# a trigram index finds nothing by less
TRIGRAM = 3
# so many of the newest are read for words before an index is asked for all that have them; more
# where the first ones had some, for an index would then return very many
WINDOW, WIDE_WINDOW, SOME = 5_000, 50_000, 5
# a walk for each granted proposal, up to so many; a viewer of more sees most of what is new
WALKS = 30


def dataset_ids(
    session: Session, filters: DatasetFilter, cursor: UUID | None, limit: int
) -> list[UUID]:
    """Return the newest ids that fit, at most ``limit``.

    The order is that of the registration or, where a time is asked for, that of the time when they
    were taken: a walk along the index of that time finds both ends of a page at once.

    Words come in clusters, those of a beam time, which the planner does not know: it would walk
    from the newest back to a cluster of years ago. So the newest are read first, which is enough
    for frequent words, and all that have the words next, once for all that a viewer may see, which
    is enough for rare ones.
    """
    conditions = _conditions(session, filters)
    if conditions is None:
        return []
    by_time = filters.since is not None or filters.until is not None
    keys: Keys = (Dataset.taken_at, Dataset.id) if by_time else (Dataset.id,)
    if cursor is not None:
        conditions.append(_before(session, keys, cursor))
    words = (filters.text or "").lower().split()
    viewer = viewer_of(session)
    if not words:
        each = partial(_plain, keys, conditions, limit)
        return _ask(session, _for_viewer(each, limit, viewer))
    for window in (WINDOW, WIDE_WINDOW):
        each = partial(_among_newest, keys, conditions, words, window, limit)
        found = _ask(session, _for_viewer(each, limit, viewer))
        if len(found) == limit:
            return found
        if len(found) < SOME:
            break
    return _ask(session, _among_all(keys, conditions, words, limit, viewer.sees()))


def _ask(session: Session, statement: Select[Any]) -> list[UUID]:
    return [row[-1] for row in session.execute(statement)]


def _plain(
    keys: Keys, conditions: Conditions, limit: int, more: ColumnElement[bool]
) -> Select[Any]:
    page: Any = select(*keys).where(*conditions, more)
    return page.order_by(*(key.desc() for key in keys)).limit(limit)


def _among_newest(
    keys: Keys,
    conditions: Conditions,
    words: list[str],
    size: int,
    limit: int,
    more: ColumnElement[bool],
) -> Select[Any]:
    window: Any = select(*keys, Dataset.search_text).where(*conditions, more)
    newest = window.order_by(*(key.desc() for key in keys)).limit(size).subquery()
    *ordered, text = newest.c
    having = [_in_text(text, word) for word in words]
    page: Any = select(*ordered).where(*having)
    return page.order_by(*(key.desc() for key in ordered)).limit(limit)


def _among_all(
    keys: Keys, conditions: Conditions, words: list[str], limit: int, more: ColumnElement[bool]
) -> Select[Any]:
    having = [_in_text(Dataset.search_text, word) for word in words]
    having += [Dataset.search_pairs.contains(_pairs(word)) for word in words if _pairs(word)]
    fitting: Any = select(*keys).where(*conditions, *having, more)
    # OFFSET hides the limit from the planner: it finds all by their words and sorts them then
    ordered = list(fitting.offset(0).subquery().c)
    page: Any = select(*ordered)
    return page.order_by(*(key.desc() for key in ordered)).limit(limit)


def _before(session: Session, keys: Keys, cursor: UUID) -> ColumnElement[bool]:
    if len(keys) == 1:
        return Dataset.id < cursor
    # the time is asked first: as a subquery, the planner would not see where the walk begins
    taken_at = session.scalar(select(Dataset.taken_at).where(Dataset.id == cursor))
    return tuple_(*keys) < (taken_at, cursor)


def _for_viewer(pages: Pages, limit: int, viewer: Viewer) -> Select[Any]:
    """Return a page of what a viewer may see.

    One page of what is public and one of each proposal that was granted, each a short walk along
    its own index, then the newest of them: with both in one condition, a viewer of old data would
    let the database read all that is newer.
    """
    if viewer.sees_all:
        return pages(true())
    grants = sorted(viewer.grants)
    ways = [Dataset.visibility == "public"] if viewer.sees_public else []
    if len(grants) > WALKS:
        ways.append(Dataset.proposal_id.in_(grants))
    else:
        ways += [Dataset.proposal_id == grant for grant in grants]
    if not ways:
        return pages(false())
    either = union(*(select(*pages(way).subquery().c) for way in ways)).subquery()
    return select(*either.c).order_by(*(each.desc() for each in either.c)).limit(limit)


def _conditions(session: Session, filters: DatasetFilter) -> Conditions | None:
    """Return what must hold besides the words; None when nothing can fit.

    Names are looked up first: with an id in the question the planner knows how many fit.
    """
    fields = set(DatasetFilter.model_fields)
    given = filters.model_dump(include=fields, exclude_none=True)
    conditions = [_FILTERS[name](value) for name, value in given.items() if name in _FILTERS]
    for name, called, key, of in (
        ("proposal", Proposal.code, Proposal.id, Dataset.proposal_id),
        ("sample", Sample.name, Sample.id, Dataset.sample_id),
    ):
        if name in given:
            found = session.scalars(select(key).where(called == given[name])).all()
            if not found:
                return None
            conditions.append(of == found[0] if len(found) == 1 else of.in_(found))
    return conditions


def _in_text(text: Any, word: str) -> ColumnElement[bool]:
    """Return the condition that a text, which is in lower case, has a word.

    Any part of it fits, but one or two letters of ASCII must begin a word: the trigrams that find
    them begin with the blank before it.
    """
    if len(word) >= TRIGRAM or not word.isascii():
        return text.contains(word, autoescape=True)
    return or_(text.startswith(word, autoescape=True), text.contains(f" {word}", autoescape=True))


def _pairs(word: str) -> list[str]:
    """Return what finds a word that is too short for trigrams and not ASCII."""
    signs = [sign for sign in word if not sign.isascii()]
    if len(word) >= TRIGRAM or not signs:
        return []
    return [word] if len(signs) == 2 else signs


_FILTERS: dict[str, Callable[[Any], ColumnElement[bool]]] = {
    "beamline": lambda value: Dataset.beamline_id == value,
    "technique": lambda value: Dataset.technique == value,
    "state": lambda value: Dataset.state == value,
    "kind": lambda value: Dataset.kind == value,
    "verdict": lambda value: Dataset.verdict == value,
    "parent": lambda value: Dataset.parent_id == value,
    "since": lambda value: Dataset.taken_at >= value,
    "until": lambda value: Dataset.taken_at < value,
}
