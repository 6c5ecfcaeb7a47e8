"""The whole life: more ways to arrive, operators' words, copies, access, notifications.

Revision 0003, 2026-11. The guards of what is new are in 0004.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

COLUMNS = """
ALTER TABLE beamline
    ADD calibration_rules JSONB DEFAULT '{}' NOT NULL,
    ADD rules JSONB DEFAULT '[]' NOT NULL,
    ADD triggers TEXT[] DEFAULT '{files}' NOT NULL,
    ADD purge_derived_after INTERVAL,
    ADD purge_raw_after INTERVAL,
    ADD embargo INTERVAL,
    ADD output_group TEXT DEFAULT '' NOT NULL,
    ADD output_mode TEXT DEFAULT '' NOT NULL,
    ADD paused_at TIMESTAMP WITH TIME ZONE,
    ADD paused_by TEXT,
    ADD pause_reason TEXT;
ALTER TABLE dataset
    ADD embargo_until TIMESTAMP WITH TIME ZONE,
    ADD purged_at TIMESTAMP WITH TIME ZONE,
    ADD rule TEXT DEFAULT '' NOT NULL;
CREATE INDEX ix_dataset_embargo_until ON dataset (embargo_until)
    WHERE visibility = 'embargoed' AND embargo_until IS NOT NULL;
ALTER TABLE verdict
    ADD rules_version TEXT,
    ADD overrules BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE attempt
    ADD machine JSONB,
    ADD interrupted BOOLEAN DEFAULT false NOT NULL;
CREATE INDEX ix_attempt_finished_at ON attempt (finished_at);

ALTER TABLE dispatch
    DROP CONSTRAINT uq_dispatch_flow_run_id,
    ADD waits_for TEXT,
    ADD output_bytes BIGINT,
    ADD batch_id UUID;
CREATE INDEX ix_dispatch_batch_id ON dispatch (batch_id) WHERE sent_at IS NULL;
CREATE INDEX ix_dispatch_flow_run_id ON dispatch (flow_run_id);
CREATE INDEX ix_dispatch_unsent ON dispatch (lane, id) WHERE sent_at IS NULL;

ALTER TABLE inbox DROP CONSTRAINT uq_inbox_key;
ALTER TABLE inbox
    ADD source TEXT DEFAULT 'http' NOT NULL,
    ADD paths TEXT[] DEFAULT '{}' NOT NULL,
    ADD updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL;
UPDATE inbox SET key = id::text WHERE key IS NULL;
ALTER TABLE inbox
    ALTER source DROP DEFAULT,
    ALTER key SET NOT NULL,
    ADD CONSTRAINT uq_inbox_beamline_id_source_key UNIQUE (beamline_id, source, key);
CREATE INDEX ix_inbox_paths ON inbox USING gin (paths);
"""

TABLES = """
CREATE TABLE replica (
    id UUID NOT NULL,
    dataset_id UUID NOT NULL,
    place TEXT NOT NULL,
    state TEXT DEFAULT 'copying' NOT NULL,
    bytes BIGINT DEFAULT 0 NOT NULL,
    actor TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    verified_at TIMESTAMP WITH TIME ZONE,
    retention_until TIMESTAMP WITH TIME ZONE,
    note TEXT,
    CONSTRAINT pk_replica PRIMARY KEY (id),
    CONSTRAINT uq_replica_dataset_id_place UNIQUE (dataset_id, place),
    CONSTRAINT ck_replica_state CHECK (state IN ('copying', 'verified', 'damaged', 'gone')),
    CONSTRAINT fk_replica_dataset_id FOREIGN KEY(dataset_id) REFERENCES dataset (id)
);
CREATE INDEX ix_replica_state_verified_at ON replica (state, verified_at);

CREATE TABLE replica_file (
    id UUID NOT NULL,
    replica_id UUID NOT NULL,
    file_id UUID NOT NULL,
    path TEXT NOT NULL,
    size BIGINT NOT NULL,
    digest TEXT NOT NULL,
    digest_algorithm TEXT NOT NULL,
    CONSTRAINT pk_replica_file PRIMARY KEY (id),
    CONSTRAINT uq_replica_file_replica_id_path UNIQUE (replica_id, path),
    CONSTRAINT fk_replica_file_replica_id FOREIGN KEY(replica_id) REFERENCES replica (id),
    CONSTRAINT fk_replica_file_file_id FOREIGN KEY(file_id) REFERENCES dataset_file (id)
);
CREATE INDEX ix_replica_file_file_id ON replica_file (file_id);

CREATE TABLE hold (
    id UUID NOT NULL,
    dataset_id UUID NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    released_at TIMESTAMP WITH TIME ZONE,
    released_by TEXT,
    CONSTRAINT pk_hold PRIMARY KEY (id),
    CONSTRAINT fk_hold_dataset_id FOREIGN KEY(dataset_id) REFERENCES dataset (id)
);
CREATE INDEX ix_hold_open ON hold (dataset_id) WHERE released_at IS NULL;

CREATE TABLE principal (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    disabled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_principal PRIMARY KEY (id),
    CONSTRAINT ck_principal_role CHECK (role IN ('user', 'staff', 'service')),
    CONSTRAINT uq_principal_name UNIQUE (name)
);

CREATE TABLE access_token (
    id UUID NOT NULL,
    principal_id UUID NOT NULL,
    digest TEXT NOT NULL,
    label TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_access_token PRIMARY KEY (id),
    CONSTRAINT fk_access_token_principal_id FOREIGN KEY(principal_id) REFERENCES principal (id),
    CONSTRAINT uq_access_token_digest UNIQUE (digest)
);
CREATE INDEX ix_access_token_principal_id ON access_token (principal_id);

CREATE TABLE access_grant (
    id UUID NOT NULL,
    principal_id UUID NOT NULL,
    proposal_id UUID NOT NULL,
    level TEXT NOT NULL,
    granted_by TEXT NOT NULL,
    granted_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    revoked_by TEXT,
    CONSTRAINT pk_access_grant PRIMARY KEY (id),
    CONSTRAINT ck_access_grant_level CHECK (level IN ('read', 'write')),
    CONSTRAINT fk_access_grant_principal_id FOREIGN KEY(principal_id) REFERENCES principal (id),
    CONSTRAINT fk_access_grant_proposal_id FOREIGN KEY(proposal_id) REFERENCES proposal (id)
);
CREATE UNIQUE INDEX uq_access_grant_open ON access_grant (principal_id, proposal_id)
    WHERE revoked_at IS NULL;

CREATE TABLE notification (
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    beamline_id TEXT,
    message TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    group_id UUID,
    delivered TEXT[] DEFAULT '{}' NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    tries BIGINT DEFAULT 0 NOT NULL,
    next_try_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_error TEXT,
    CONSTRAINT pk_notification PRIMARY KEY (id),
    CONSTRAINT uq_notification_key UNIQUE (key),
    CONSTRAINT fk_notification_beamline_id FOREIGN KEY(beamline_id) REFERENCES beamline (id)
);
CREATE INDEX ix_notification_waiting ON notification (id) WHERE sent_at IS NULL;
CREATE INDEX ix_notification_group_id ON notification (group_id);
CREATE INDEX ix_dataset_purged_at ON dataset (purged_at) WHERE purged_at IS NOT NULL;
CREATE INDEX ix_dataset_file_without_digest ON dataset_file (id)
    WHERE digest IS NULL AND gone_at IS NULL;

CREATE TABLE trigger_status (
    beamline_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    heard_at TIMESTAMP WITH TIME ZONE,
    arrivals BIGINT DEFAULT 0 NOT NULL,
    refused BIGINT DEFAULT 0 NOT NULL,
    note TEXT,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_trigger_status PRIMARY KEY (beamline_id, kind),
    CONSTRAINT ck_trigger_status_state
        CHECK (state IN ('listening', 'silent', 'unreachable', 'off')),
    CONSTRAINT fk_trigger_status_beamline_id FOREIGN KEY(beamline_id) REFERENCES beamline (id)
);
"""


def upgrade() -> None:
    op.execute(COLUMNS)
    op.execute(TABLES)
