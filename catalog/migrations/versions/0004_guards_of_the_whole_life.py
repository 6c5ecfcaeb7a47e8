"""Guards of the whole life: aborting, publishing and purging, which the database itself checks.

Revision 0004, 2026-11.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

MOVES = """
INSERT INTO transition VALUES
    ('dataset', 'acquired', 'aborted'),
    ('dataset', 'acquired', 'incomplete'),
    ('dataset', 'incomplete', 'registered'),
    ('dataset', 'waiting_for_calibration', 'acquired');
"""

PUBLISHING = """
CREATE FUNCTION start_embargo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.kind = 'derived' AND NEW.visibility = 'public' THEN
        RAISE EXCEPTION 'a new result has no verdict yet and cannot be public'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'publishing';
    END IF;
    IF NEW.kind <> 'derived' AND NEW.visibility = 'embargoed' AND NEW.embargo_until IS NULL THEN
        NEW.embargo_until :=
            NEW.created_at + (SELECT embargo FROM beamline WHERE id = NEW.beamline_id);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER embargo BEFORE INSERT ON dataset
    FOR EACH ROW EXECUTE FUNCTION start_embargo();

CREATE FUNCTION apply_visibility() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT NEW.details || jsonb_build_object('from', visibility, 'from_until', embargo_until)
      INTO NEW.details FROM dataset WHERE id = NEW.dataset_id FOR NO KEY UPDATE;
    UPDATE dataset SET visibility = NEW.details ->> 'to',
                       embargo_until = (NEW.details ->> 'until')::timestamptz
      WHERE id = NEW.dataset_id;
    RETURN NEW;
END $$;
CREATE TRIGGER apply_visibility BEFORE INSERT ON lifecycle_event
    FOR EACH ROW WHEN (NEW.event = 'visibility') EXECUTE FUNCTION apply_visibility();

CREATE FUNCTION check_publishing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.visibility = OLD.visibility
       AND NEW.embargo_until IS NOT DISTINCT FROM OLD.embargo_until THEN
        RETURN NEW;
    END IF;
    -- depth 1 is a statement of a client, depth 2 the update by apply_visibility
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'the visibility of % changes by a lifecycle event alone', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'publishing';
    END IF;
    IF NEW.visibility = 'public' AND OLD.visibility = 'proprietary' THEN
        RAISE EXCEPTION '% is proprietary: it is never published; embargo it first if that was a '
            'mistake', NEW.id USING ERRCODE = 'check_violation', CONSTRAINT = 'publishing';
    END IF;
    IF NEW.visibility = 'public' AND OLD.visibility <> 'public'
       AND NEW.kind = 'derived' AND NEW.verdict IS DISTINCT FROM 'ok' THEN
        RAISE EXCEPTION 'the verdict on % is %: only a result that is ok becomes public, or one '
            'whose verdict a person has overruled', NEW.id, coalesce(NEW.verdict, 'missing')
            USING ERRCODE = 'check_violation', CONSTRAINT = 'publishing';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER publishing BEFORE UPDATE OF visibility, embargo_until ON dataset
    FOR EACH ROW EXECUTE FUNCTION check_publishing();
"""

PURGING = """
CREATE FUNCTION check_purging() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    keep interval;
BEGIN
    IF NEW.purged_at IS NOT DISTINCT FROM OLD.purged_at THEN
        RETURN NEW;
    END IF;
    IF OLD.purged_at IS NOT NULL THEN
        RAISE EXCEPTION '% was purged: a tombstone stays', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'tombstone';
    END IF;
    SELECT CASE NEW.kind WHEN 'derived' THEN purge_derived_after ELSE purge_raw_after END
      INTO keep FROM beamline WHERE id = NEW.beamline_id;
    IF keep IS NULL THEN
        RAISE EXCEPTION '% may not be purged: the settings of beamline % do not allow it',
            NEW.id, NEW.beamline_id USING ERRCODE = 'check_violation', CONSTRAINT = 'purging';
    END IF;
    IF NEW.created_at + keep > clock_timestamp() THEN
        RAISE EXCEPTION '% may not be purged before %', NEW.id, NEW.created_at + keep
            USING ERRCODE = 'check_violation', CONSTRAINT = 'purging';
    END IF;
    IF EXISTS (SELECT FROM hold WHERE dataset_id = NEW.id AND released_at IS NULL) THEN
        RAISE EXCEPTION '% may not be purged: a person holds it', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'purging';
    END IF;
    IF EXISTS (SELECT FROM run r WHERE r.state IN ('waiting', 'running')
               AND (r.dataset_id IN (NEW.id, NEW.source_id)
                    OR EXISTS (SELECT FROM lineage l WHERE l.run_id = r.id
                               AND l.dataset_id = NEW.id AND l.direction = 'input'))) THEN
        RAISE EXCEPTION '% may not be purged: a run uses it', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'purging';
    END IF;
    IF NOT EXISTS (SELECT FROM replica WHERE dataset_id = NEW.id AND state = 'verified'
                   AND verified_at > clock_timestamp() - interval '1 hour') THEN
        RAISE EXCEPTION '% may not be purged: no copy of it was verified within the last hour',
            NEW.id USING ERRCODE = 'check_violation', CONSTRAINT = 'purging';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER purging BEFORE UPDATE OF purged_at ON dataset
    FOR EACH ROW EXECUTE FUNCTION check_purging();
"""

TELLING = """
CREATE FUNCTION tell_people() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject record;
    kind text := 'alarm';
BEGIN
    IF NEW.dataset_id IS NOT NULL THEN
        SELECT d.name, d.beamline_id, d.id INTO subject FROM dataset d WHERE d.id = NEW.dataset_id;
    ELSE
        SELECT d.name, d.beamline_id, d.id INTO subject
          FROM run r JOIN dataset d ON d.id = r.dataset_id WHERE r.id = NEW.run_id;
    END IF;
    IF NEW.to_state = 'failed' THEN
        kind := 'failure';
    ELSIF NEW.to_state = 'quarantined' THEN
        kind := 'quarantine';
    END IF;
    INSERT INTO notification (id, kind, key, beamline_id, message)
      VALUES (NEW.id, kind, 'event ' || NEW.id, subject.beamline_id,
              format('%s (%s): %s', subject.name, subject.id, coalesce(NEW.reason, NEW.event)));
    RETURN NULL;
END $$;
CREATE TRIGGER tell_people AFTER INSERT ON lifecycle_event FOR EACH ROW
    WHEN (NEW.level = 'alarm' OR NEW.to_state IN ('failed', 'quarantined'))
    EXECUTE FUNCTION tell_people();
"""

TOMBSTONES = """
CREATE FUNCTION refuse_run_of_tombstone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM dataset WHERE id = NEW.dataset_id AND purged_at IS NOT NULL) THEN
        RAISE EXCEPTION '% was purged: there is nothing to reduce', NEW.dataset_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'tombstone';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tombstone BEFORE INSERT ON run
    FOR EACH ROW EXECUTE FUNCTION refuse_run_of_tombstone();
"""


def upgrade() -> None:
    op.execute(TELLING)
    op.execute(TOMBSTONES)
    op.execute(MOVES)
    op.execute(PUBLISHING)
    op.execute(PURGING)
