"""Series: scans that belong together, whose results are reduced together as they come.

Revision 0007, 2026-11.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

COLUMNS = """
ALTER TABLE beamline
    ADD series_flow TEXT,
    ADD series_recipe JSONB DEFAULT '{}' NOT NULL;
ALTER TABLE dataset ADD series_key TEXT;
"""

TABLE = """
CREATE TABLE series (
    dataset_id UUID NOT NULL,
    due_since TIMESTAMP WITH TIME ZONE,
    news BIGINT DEFAULT 0 NOT NULL,
    taken BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_series PRIMARY KEY (dataset_id),
    CONSTRAINT fk_series_dataset_id FOREIGN KEY(dataset_id) REFERENCES dataset (id)
);
"""

# Each holds few of the many rows: scans of series, scans that are still alone, runs to come.
INDEXES = """
DROP INDEX ix_dataset_parent_id;
CREATE INDEX ix_dataset_parent_id_id ON dataset (parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX ix_dataset_beamline_id_series_key ON dataset (beamline_id, series_key)
    WHERE series_key IS NOT NULL AND parent_id IS NULL;
CREATE INDEX ix_series_due_since ON series (due_since) WHERE due_since IS NOT NULL;
CREATE INDEX ix_run_open ON run (dataset_id) WHERE state IN ('waiting', 'running');
"""


def upgrade() -> None:
    op.execute(COLUMNS)
    op.execute(TABLE)
    op.execute(INDEXES)
