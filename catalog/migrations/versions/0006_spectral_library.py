"""Spectral libraries, whose rows are added and never changed.

Revision 0006, 2026-11.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = """
CREATE TABLE library (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    licence TEXT DEFAULT '' NOT NULL,
    proposal_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_library PRIMARY KEY (id),
    CONSTRAINT uq_library_name UNIQUE (name),
    CONSTRAINT ck_library_name CHECK (name ~ '^[^./ ][^/]*$'),
    CONSTRAINT fk_library_proposal_id FOREIGN KEY(proposal_id) REFERENCES proposal (id)
);
CREATE INDEX ix_library_proposal_id ON library (proposal_id);

CREATE TABLE library_spectrum (
    id UUID NOT NULL,
    library_id UUID NOT NULL,
    name TEXT NOT NULL,
    revision BIGINT NOT NULL,
    compound TEXT NOT NULL,
    formula TEXT,
    element TEXT NOT NULL,
    edge TEXT NOT NULL,
    mode TEXT,
    origin TEXT DEFAULT '' NOT NULL,
    licence TEXT DEFAULT '' NOT NULL,
    e0 DOUBLE PRECISION,
    metadata JSONB DEFAULT '{}' NOT NULL,
    energy DOUBLE PRECISION[] NOT NULL,
    mu DOUBLE PRECISION[] NOT NULL,
    points BIGINT NOT NULL GENERATED ALWAYS AS (cardinality(energy)) STORED,
    energy_min DOUBLE PRECISION NOT NULL GENERATED ALWAYS AS (energy[1]) STORED,
    energy_max DOUBLE PRECISION NOT NULL
        GENERATED ALWAYS AS (energy[cardinality(energy)]) STORED,
    digest TEXT NOT NULL,
    file_name TEXT DEFAULT '' NOT NULL,
    format TEXT DEFAULT '' NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    added_by TEXT NOT NULL,
    search_text TEXT NOT NULL GENERATED ALWAYS AS (
        lower(name || ' ' || compound || ' ' || coalesce(formula, '') || ' ' || origin)) STORED,
    CONSTRAINT pk_library_spectrum PRIMARY KEY (id),
    CONSTRAINT uq_library_spectrum_library_id_name_revision UNIQUE (library_id, name, revision),
    CONSTRAINT ck_library_spectrum_named CHECK (name <> '' AND compound <> ''),
    CONSTRAINT ck_library_spectrum_revision CHECK (revision > 0),
    CONSTRAINT ck_library_spectrum_element CHECK (element ~ '^[A-Z][a-z]?$'),
    CONSTRAINT ck_library_spectrum_edge CHECK (edge ~ '^[KLMNO][1-9]?$'),
    CONSTRAINT ck_library_spectrum_mode CHECK (mode IN ('transmission', 'fluorescence')),
    CONSTRAINT ck_library_spectrum_points CHECK (cardinality(energy) >= 10),
    CONSTRAINT ck_library_spectrum_lengths CHECK (cardinality(energy) = cardinality(mu)),
    CONSTRAINT fk_library_spectrum_library_id FOREIGN KEY(library_id) REFERENCES library (id)
);
-- doubles hardly shrink: to try costs more time than it saves room
ALTER TABLE library_spectrum
    ALTER energy SET STORAGE EXTERNAL,
    ALTER mu SET STORAGE EXTERNAL;
CREATE INDEX ix_library_spectrum_library_id_id ON library_spectrum (library_id, id);
CREATE INDEX ix_library_spectrum_library_id_element_edge_id
    ON library_spectrum (library_id, element, edge, id);
CREATE INDEX ix_library_spectrum_search_text ON library_spectrum
    USING gin (search_text gin_trgm_ops);

CREATE TABLE library_retirement (
    spectrum_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_library_retirement PRIMARY KEY (spectrum_id),
    CONSTRAINT fk_library_retirement_spectrum_id
        FOREIGN KEY(spectrum_id) REFERENCES library_spectrum (id)
);
"""

# A revision stands on the one before, which must have been retired; that each is there once, the
# constraint of its number sees to. So at most one counts.
GUARD = """
CREATE FUNCTION check_library_spectrum() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.revision > 1 AND NOT EXISTS (
        SELECT FROM library_spectrum s JOIN library_retirement r ON r.spectrum_id = s.id
        WHERE s.library_id = NEW.library_id AND s.name = NEW.name AND s.revision = NEW.revision - 1
    ) THEN
        RAISE EXCEPTION 'revision % of % needs one before it that was retired',
            NEW.revision, NEW.name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'one_revision_counts';
    END IF;
    IF EXISTS (SELECT FROM unnest(NEW.energy, NEW.mu) AS point (energy, mu)
               WHERE NOT (point.energy > 0 AND point.energy < 'Infinity'
                          AND point.mu > '-Infinity' AND point.mu < 'Infinity') IS TRUE) THEN
        RAISE EXCEPTION '% has an energy or an absorption that is no finite number', NEW.name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'numbers';
    END IF;
    IF EXISTS (SELECT FROM unnest(NEW.energy, NEW.energy[2:]) AS point (energy, next)
               WHERE point.next <= point.energy) THEN
        RAISE EXCEPTION 'the energies of % do not increase', NEW.name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'numbers';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON library_spectrum
    FOR EACH ROW EXECUTE FUNCTION check_library_spectrum();
"""

APPEND_ONLY = ("library", "library_spectrum", "library_retirement")


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GUARD)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
