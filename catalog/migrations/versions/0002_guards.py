"""Guards: what may not happen, the database itself refuses.

Revision 0002, 2026-11. States move by lifecycle events alone and along legal transitions alone;
events, steps, lineage and verdicts can be added and never changed; search text follows the names.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

APPEND_ONLY = ("lifecycle_event", "step", "lineage", "verdict")

TRANSITIONS = {
    "dataset": {
        "registered": ("acquired", "incomplete", "aborted", "quarantined"),
        "acquired": ("validated", "waiting_for_calibration", "quarantined"),
        "waiting_for_calibration": ("validated", "quarantined", "aborted"),
        "validated": ("quarantined",),
        "quarantined": ("acquired", "aborted"),
        "incomplete": ("acquired", "aborted", "quarantined"),
        "aborted": ("acquired",),
    },
    "derived": {
        "registered": ("validated",),
        "validated": ("quarantined",),
        "quarantined": ("validated",),
    },
    "run": {
        "waiting": ("running", "failed", "cancelled"),
        "running": ("completed", "failed", "cancelled", "waiting"),
        "failed": ("running", "waiting"),
        "cancelled": ("running", "waiting"),
    },
    "attempt": {
        "running": ("completed", "failed", "lost", "cancelled"),
    },
}

FUNCTIONS = """
CREATE FUNCTION check_move(subject text, id uuid, from_state text, to_state text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM transition t
      WHERE t.subject = check_move.subject AND t.from_state = check_move.from_state
        AND t.to_state = check_move.to_state;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% % cannot go from % to %', subject, id, from_state, to_state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'legal_move';
    END IF;
END $$;

CREATE FUNCTION apply_lifecycle_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject text := 'run';
BEGIN
    IF NEW.to_state IS NULL THEN
        RETURN NEW;
    END IF;
    IF NEW.dataset_id IS NOT NULL THEN
        SELECT state, CASE kind WHEN 'derived' THEN 'derived' ELSE 'dataset' END
          INTO NEW.from_state, subject FROM dataset WHERE id = NEW.dataset_id FOR NO KEY UPDATE;
        PERFORM check_move(subject, NEW.dataset_id, NEW.from_state, NEW.to_state);
        UPDATE dataset SET state = NEW.to_state, state_reason = NEW.reason, state_at = NEW.at
          WHERE id = NEW.dataset_id;
    ELSE
        SELECT state INTO NEW.from_state FROM run WHERE id = NEW.run_id FOR NO KEY UPDATE;
        PERFORM check_move(subject, NEW.run_id, NEW.from_state, NEW.to_state);
        UPDATE run SET state = NEW.to_state, state_reason = NEW.reason, state_at = NEW.at
          WHERE id = NEW.run_id;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION refuse_bare_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.state <> TG_ARGV[0] THEN
        RAISE EXCEPTION 'a new % starts as %', TG_TABLE_NAME, TG_ARGV[0]
            USING ERRCODE = 'check_violation', CONSTRAINT = 'legal_move';
    END IF;
    -- Depth 1 is a statement of a client, depth 2 the update by apply_lifecycle_event.
    IF TG_OP = 'UPDATE' AND NEW.state <> OLD.state AND pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'the state of % % changes by a lifecycle event alone', TG_TABLE_NAME, OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'legal_move';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION check_attempt_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state THEN
        PERFORM check_move('attempt', OLD.id, OLD.state, NEW.state);
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: no % here', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION apply_verdict() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE dataset SET verdict = NEW.verdict WHERE id = NEW.dataset_id;
    RETURN NEW;
END $$;

CREATE FUNCTION write_search_text() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search_text := lower(concat_ws(' ', NEW.name, NEW.uid, NEW.external_id,
        (SELECT concat_ws(' ', code, title) FROM proposal WHERE id = NEW.proposal_id),
        (SELECT concat_ws(' ', name, formula) FROM sample WHERE id = NEW.sample_id)));
    RETURN NEW;
END $$;

CREATE FUNCTION renew_search_text() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'sample' THEN
        UPDATE dataset SET name = name WHERE sample_id = NEW.id;
    ELSE
        UPDATE dataset SET name = name WHERE proposal_id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
"""

TRIGGERS = """
CREATE TRIGGER apply BEFORE INSERT ON lifecycle_event
    FOR EACH ROW EXECUTE FUNCTION apply_lifecycle_event();
CREATE TRIGGER bare_move BEFORE INSERT OR UPDATE ON dataset
    FOR EACH ROW EXECUTE FUNCTION refuse_bare_move('registered');
CREATE TRIGGER bare_move BEFORE INSERT OR UPDATE ON run
    FOR EACH ROW EXECUTE FUNCTION refuse_bare_move('waiting');
CREATE TRIGGER legal_move BEFORE UPDATE ON attempt
    FOR EACH ROW EXECUTE FUNCTION check_attempt_move();
CREATE TRIGGER apply AFTER INSERT ON verdict
    FOR EACH ROW EXECUTE FUNCTION apply_verdict();
CREATE TRIGGER search_text
    BEFORE INSERT OR UPDATE OF name, uid, external_id, proposal_id, sample_id ON dataset
    FOR EACH ROW EXECUTE FUNCTION write_search_text();
CREATE TRIGGER search_text AFTER UPDATE OF name, formula ON sample
    FOR EACH ROW EXECUTE FUNCTION renew_search_text();
CREATE TRIGGER search_text AFTER UPDATE OF code, title ON proposal
    FOR EACH ROW EXECUTE FUNCTION renew_search_text();
"""


def upgrade() -> None:
    op.execute(FUNCTIONS)
    op.execute(TRIGGERS)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    moves = [
        f"('{subject}', '{before}', '{after}')"
        for subject, legal in TRANSITIONS.items()
        for before, reachable in legal.items()
        for after in reachable
    ]
    op.execute(f"INSERT INTO transition VALUES {', '.join(moves)}")  # noqa: S608 - constants
