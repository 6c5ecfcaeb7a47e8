"""What is seen of a dataset while it grows.

Revision 0008, 2026-11.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

TABLE = """
CREATE TABLE live_view (
    dataset_id UUID NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    seen BIGINT NOT NULL,
    planned BIGINT,
    figures JSONB DEFAULT '{}' NOT NULL,
    picture BYTEA,
    note TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_live_view PRIMARY KEY (dataset_id),
    CONSTRAINT fk_live_view_dataset_id FOREIGN KEY(dataset_id) REFERENCES dataset (id)
);
"""


def upgrade() -> None:
    op.execute(TABLE)
