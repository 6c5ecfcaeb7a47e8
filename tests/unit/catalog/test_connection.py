"""Connections to the catalogue."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from catalog.connection import IDLE_SECONDS

TAKE = text("SELECT pg_advisory_xact_lock(4711)")


def test_a_session_that_falls_silent_in_a_transaction_is_ended(catalog_engine: Engine) -> None:
    with catalog_engine.connect() as connection:
        told = connection.scalar(text("SHOW idle_in_transaction_session_timeout"))
        assert told == f"{IDLE_SECONDS}s"


def test_its_locks_are_free_and_its_next_word_finds_the_catalogue_away(
    catalog_engine: Engine,
) -> None:
    with catalog_engine.connect() as silent, catalog_engine.connect() as other:
        silent.execute(text("SET LOCAL idle_in_transaction_session_timeout = 100"))
        silent.execute(TAKE)
        other.execute(text("SET LOCAL lock_timeout = 10000"))
        other.execute(TAKE)
        with pytest.raises(OperationalError) as ended:
            silent.execute(text("SELECT 1"))
        assert ended.value.connection_invalidated
    with catalog_engine.connect() as again:
        assert again.scalar(text("SELECT 1")) == 1
