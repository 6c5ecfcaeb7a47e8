"""Indexes and statistics for lists, searches and lineage of a catalogue with millions of rows.

Revision 0005, 2026-11.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

# What a trigram index cannot find: Chinese words of one or two signs. The array has each sign that
# is not ASCII, and each pair of them; a text that is all ASCII costs one comparison.
PAIRS = """
CREATE FUNCTION search_pairs(words text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF octet_length(words) = length(words) THEN
        RETURN '{}';
    END IF;
    RETURN ARRAY(
        SELECT DISTINCT part FROM (
            SELECT substr(run, n, size) AS part, size
            FROM regexp_split_to_table(words, '[\\x01-\\x7f]+') AS run,
                 generate_series(1, length(run)) AS n, generate_series(1, 2) AS size
        ) parts WHERE length(part) = size);
END $$;

ALTER TABLE dataset ADD search_pairs TEXT[] DEFAULT '{}' NOT NULL;
UPDATE dataset SET search_pairs = search_pairs(search_text)
    WHERE octet_length(search_text) <> length(search_text);
CREATE INDEX ix_dataset_search_pairs ON dataset USING gin (search_pairs);

CREATE OR REPLACE FUNCTION write_search_text() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search_text := lower(concat_ws(' ', NEW.name, NEW.uid, NEW.external_id,
        (SELECT concat_ws(' ', code, title) FROM proposal WHERE id = NEW.proposal_id),
        (SELECT concat_ws(' ', name, formula) FROM sample WHERE id = NEW.sample_id)));
    NEW.search_pairs := search_pairs(NEW.search_text);
    RETURN NEW;
END $$;
"""

# The few among the many, newest first, each in an index of its own size.
INDEXES = """
CREATE INDEX ix_dataset_calibrations ON dataset (id) WHERE kind = 'calibration';
CREATE INDEX ix_dataset_doubtful ON dataset (verdict, id) WHERE verdict <> 'ok';
CREATE INDEX ix_dataset_public ON dataset (id) WHERE visibility = 'public';
CREATE INDEX ix_dataset_public_taken_at ON dataset (taken_at, id) WHERE visibility = 'public';
DROP INDEX ix_dataset_sample_id;
CREATE INDEX ix_dataset_sample_id_id ON dataset (sample_id, id);
CREATE INDEX ix_sample_name ON sample (name);
CREATE INDEX ix_run_flow_id ON run (flow, id);
DROP INDEX ix_dataset_technique_id;
CREATE INDEX ix_dataset_technique_beamline_id_id ON dataset (technique, beamline_id, id);
DROP INDEX ix_lineage_dataset_id;
CREATE INDEX ix_lineage_dataset_id_direction_run_id ON lineage (dataset_id, direction, run_id);
"""

# A beamline has few techniques and a word is rare or frequent: the planner should know.
STATISTICS = """
ALTER TABLE dataset ALTER search_text SET STATISTICS 1000;
CREATE STATISTICS dataset_kinds (mcv)
    ON beamline_id, technique, kind, state, verdict FROM dataset;
"""


def upgrade() -> None:
    op.execute(PAIRS)
    op.execute(INDEXES)
    op.execute(STATISTICS)
