"""Lists stay quick when the catalogue is large: no sequential scans behind a page of them."""

import pytest
from sqlalchemy import Engine, text

FILL = """
INSERT INTO dataset (id, kind, beamline_id, entry_key, base_key, name, technique, taken_at)
SELECT gen_random_uuid(), 'raw', 'imaging', 'k' || n, 'k' || n, 'scan ' || md5(n::text), 'ct',
       now() - n * interval '1 minute'
FROM generate_series(1, 20000) n
"""
QUERIES = {
    "newest": "ORDER BY taken_at DESC, id DESC LIMIT 50",
    "next page": "WHERE (taken_at, id) < (now() - interval '5 days', gen_random_uuid()) "
    "ORDER BY taken_at DESC, id DESC LIMIT 50",
    "of a beamline": "WHERE beamline_id = 'imaging' ORDER BY taken_at DESC, id DESC LIMIT 50",
    "in a state": "WHERE state = 'quarantined' ORDER BY id DESC LIMIT 50",
    "by text": "WHERE search_text LIKE '%a1b2c%'",
    "by key": "WHERE beamline_id = 'imaging' AND base_key = 'k7' ORDER BY generation DESC",
}


@pytest.fixture
def large(engine: Engine, owner_engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(text(FILL))
    quiet = owner_engine.execution_options(isolation_level="AUTOCOMMIT")
    with quiet.connect() as connection:
        # As autovacuum does by and by: the text index takes bulk inserts in later.
        connection.execute(text("VACUUM ANALYZE dataset"))
    return engine


def test_pages_use_indexes(large: Engine) -> None:
    with large.connect() as connection:
        for name, condition in QUERIES.items():
            question = f"EXPLAIN SELECT * FROM dataset {condition}"  # noqa: S608 - constants
            plan = "\n".join(connection.scalars(text(question)))
            assert "Seq Scan" not in plan, f"{name}: {plan}"
