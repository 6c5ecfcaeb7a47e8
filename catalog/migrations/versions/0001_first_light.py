"""First light: the tables.

Revision 0001, 2026-11.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

Type = sa.types.TypeEngine[Any]
Column = sa.Column[Any]
TEXT = sa.Text()
TEXTS = sa.ARRAY(TEXT)
INTEGER = sa.BigInteger()
UUID = sa.Uuid()
TIME = sa.DateTime(timezone=True)
JSON = postgresql.JSONB()


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute("CREATE SEQUENCE fencing_token")
    places()
    datasets()
    runs()
    boxes()
    history()


def required(name: str, kind: Type, to: str = "", default: str = "") -> Column:
    return _column(name, kind, to, default, nullable=False)


def optional(name: str, kind: Type, to: str = "") -> Column:
    return _column(name, kind, to, "", nullable=True)


def _column(name: str, kind: Type, to: str, default: str, *, nullable: bool) -> Column:
    key = [sa.ForeignKey(to)] if to else []
    start = sa.text(default) if default else None
    return sa.Column(name, kind, *key, server_default=start, nullable=nullable)


def index(name: str, table: str, *columns: str, where: str = "", unique: bool = False) -> None:
    condition = sa.text(where) if where else None
    op.create_index(name, table, list(columns), unique=unique, postgresql_where=condition)


def places() -> None:
    """Where data come from and belong to."""
    op.create_table(
        "storage",
        required("id", UUID),
        required("name", TEXT),
        required("root", TEXT),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("root"),
    )
    op.create_table(
        "beamline",
        required("id", TEXT),
        required("name", TEXT),
        required("technique", TEXT),
        optional("flow", TEXT),
        required("folders", TEXTS),
        required("output_template", TEXT),
        required("recipe", JSON, default="'{}'"),
        required("calibration_max_age", sa.Interval()),
        required("published_at", TIME, default="now()"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "flow_schema",
        required("flow", TEXT),
        required("version", TEXT),
        required("technique", TEXT),
        required("parameters", JSON),
        required("is_current", sa.Boolean(), default="true"),
        required("published_at", TIME, default="now()"),
        sa.PrimaryKeyConstraint("flow", "version"),
    )
    index("uq_flow_schema_current", "flow_schema", "flow", where="is_current", unique=True)
    op.create_table(
        "proposal",
        required("id", UUID),
        required("code", TEXT),
        optional("title", TEXT),
        optional("external_id", TEXT),
        required("created_at", TIME, default="now()"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
        sa.UniqueConstraint("external_id"),
    )
    op.create_table(
        "visit",
        required("id", UUID),
        required("proposal_id", UUID, "proposal.id"),
        required("code", TEXT),
        required("created_at", TIME, default="now()"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("proposal_id", "code"),
    )
    op.create_table(
        "sample",
        required("id", UUID),
        optional("proposal_id", UUID, "proposal.id"),
        required("name", TEXT),
        optional("formula", TEXT),
        optional("density", sa.Double()),
        optional("thickness", sa.Double()),
        optional("container", TEXT),
        optional("cell", JSON),
        optional("sequence", TEXT),
        optional("external_id", TEXT),
        required("created_at", TIME, default="now()"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("external_id"),
        sa.UniqueConstraint("proposal_id", "name", postgresql_nulls_not_distinct=True),
    )


def datasets() -> None:
    """Datasets, their files and calibrations."""
    op.create_table(
        "dataset",
        required("id", UUID),
        required("kind", TEXT),
        required("beamline_id", TEXT, "beamline.id"),
        required("entry_key", TEXT),
        required("base_key", TEXT),
        required("generation", INTEGER, default="1"),
        required("name", TEXT),
        required("technique", TEXT),
        required("format", TEXT, default="''"),
        required("inner_path", TEXT, default="''"),
        optional("uid", TEXT),
        optional("started_at", TIME),
        required("taken_at", TIME),
        required("created_at", TIME, default="now()"),
        required("state", TEXT, default="'registered'"),
        optional("state_reason", TEXT),
        required("state_at", TIME, default="now()"),
        required("visibility", TEXT, default="'embargoed'"),
        optional("proposal_id", UUID, "proposal.id"),
        optional("visit_id", UUID, "visit.id"),
        optional("sample_id", UUID, "sample.id"),
        optional("parent_id", UUID, "dataset.id"),
        required("detector", TEXT, default="''"),
        required("needs", TEXTS, default="'{}'"),
        required("metadata", JSON, default="'{}'"),
        optional("external_id", TEXT),
        required("search_text", TEXT, default="''"),
        optional("output_folder", TEXT),
        optional("source_id", UUID, "dataset.id"),
        optional("run_id", UUID),
        optional("flow", TEXT),
        optional("version", INTEGER),
        required("is_current", sa.Boolean(), default="false"),
        optional("verdict", TEXT),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("beamline_id", "base_key", "generation"),
        sa.UniqueConstraint("beamline_id", "entry_key"),
        sa.UniqueConstraint("source_id", "version"),
        sa.CheckConstraint(
            "state IN ('registered', 'acquired', 'validated', 'quarantined', "
            "'incomplete', 'aborted', 'waiting_for_calibration')",
            name="state",
        ),
        sa.CheckConstraint("kind IN ('raw', 'calibration', 'derived')", name="kind"),
        sa.CheckConstraint("verdict IN ('ok', 'check', 'bad')", name="verdict"),
        sa.CheckConstraint(
            "visibility IN ('embargoed', 'proprietary', 'public')", name="visibility"
        ),
        sa.CheckConstraint(
            "(kind = 'derived') = (source_id IS NOT NULL) AND "
            "(kind = 'derived') = (run_id IS NOT NULL) AND "
            "(kind = 'derived') = (flow IS NOT NULL) AND "
            "(kind = 'derived') = (version IS NOT NULL)",
            name="derived",
        ),
        sa.CheckConstraint("generation > 0", name="generation"),
        sa.CheckConstraint("kind = 'derived' OR NOT is_current", name="current"),
    )
    index("ix_dataset_beamline_id_id", "dataset", "beamline_id", "id")
    index("ix_dataset_beamline_id_taken_at_id", "dataset", "beamline_id", "taken_at", "id")
    index("ix_dataset_parent_id", "dataset", "parent_id")
    index("ix_dataset_proposal_id_id", "dataset", "proposal_id", "id")
    index("ix_dataset_sample_id", "dataset", "sample_id")
    op.create_index(
        "ix_dataset_search_text",
        "dataset",
        ["search_text"],
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    index("ix_dataset_state_id", "dataset", "state", "id")
    index("ix_dataset_taken_at_id", "dataset", "taken_at", "id")
    index("ix_dataset_technique_id", "dataset", "technique", "id")
    index("uq_dataset_current", "dataset", "source_id", "flow", where="is_current", unique=True)
    index("uq_dataset_external_id", "dataset", "external_id", unique=True)
    index("uq_dataset_output_folder", "dataset", "output_folder", unique=True)
    index("uq_dataset_run_id", "dataset", "run_id", unique=True)
    op.create_table(
        "dataset_file",
        required("id", UUID),
        required("dataset_id", UUID, "dataset.id"),
        required("storage_id", UUID, "storage.id"),
        required("path", TEXT),
        required("inner_path", TEXT, default="''"),
        required("role", TEXT),
        required("size", INTEGER),
        optional("mtime_ns", INTEGER),
        optional("inode", INTEGER),
        required("count", INTEGER, default="1"),
        optional("media_type", TEXT),
        optional("fingerprint", TEXT),
        optional("digest", TEXT),
        optional("digest_algorithm", TEXT),
        optional("gone_at", TIME),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dataset_id", "storage_id", "path", "inner_path", "role"),
        sa.CheckConstraint("path !~ '(^/)|(^|/)[.][.](/|$)'", name="path"),
        sa.CheckConstraint("count > 0", name="count"),
        sa.CheckConstraint("(digest IS NULL) = (digest_algorithm IS NULL)", name="digest"),
        sa.CheckConstraint("size >= 0", name="size"),
    )
    index("ix_dataset_file_storage_id_path", "dataset_file", "storage_id", "path")
    op.create_table(
        "calibration",
        required("dataset_id", UUID, "dataset.id"),
        required("kind", TEXT),
        required("detector", TEXT),
        optional("energy_kev", sa.Double()),
        optional("valid_from", TIME),
        optional("valid_until", TIME),
        sa.PrimaryKeyConstraint("dataset_id", "kind"),
    )
    index("ix_calibration_kind_detector", "calibration", "kind", "detector")
    op.create_table(
        "dataset_calibration",
        required("dataset_id", UUID, "dataset.id"),
        required("calibration_id", UUID, "dataset.id"),
        required("role", TEXT),
        required("chosen_at", TIME, default="now()"),
        sa.PrimaryKeyConstraint("dataset_id", "calibration_id", "role"),
    )
    index("ix_dataset_calibration_calibration_id", "dataset_calibration", "calibration_id")


def runs() -> None:
    """Runs, attempts, steps and lineage."""
    op.create_table(
        "run",
        required("id", UUID),
        required("dataset_id", UUID, "dataset.id"),
        required("flow", TEXT),
        required("recipe_version", TEXT),
        required("parameters", JSON),
        required("run_key", TEXT),
        optional("request_id", TEXT),
        optional("parent_id", UUID, "run.id"),
        required("actor", TEXT),
        required("reason", TEXT),
        required("lane", TEXT),
        required("version", INTEGER),
        required("state", TEXT, default="'waiting'"),
        optional("state_reason", TEXT),
        required("state_at", TIME, default="now()"),
        optional("token", INTEGER),
        required("stage", TEXT, default="''"),
        required("figures", JSON, default="'{}'"),
        required("created_at", TIME, default="now()"),
        optional("started_at", TIME),
        optional("finished_at", TIME),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dataset_id", "version"),
        sa.UniqueConstraint("request_id"),
        sa.UniqueConstraint("run_key"),
        sa.CheckConstraint("version > 0", name="version"),
        sa.CheckConstraint("lane IN ('live', 'reprocess')", name="lane"),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'completed', 'failed', 'cancelled')", name="state"
        ),
    )
    index("ix_run_parent_id", "run", "parent_id")
    index("ix_run_state_id", "run", "state", "id")
    op.create_foreign_key("fk_dataset_run_id", "dataset", "run", ["run_id"], ["id"])
    op.create_table(
        "attempt",
        required("id", UUID),
        required("run_id", UUID, "run.id"),
        required("number", INTEGER),
        required("token", INTEGER, default="nextval('fencing_token')"),
        required("flow_run_id", TEXT),
        required("host", TEXT),
        required("pid", INTEGER),
        optional("process_started", sa.Double()),
        required("state", TEXT, default="'running'"),
        optional("reason", TEXT),
        required("claimed_at", TIME, default="now()"),
        required("heartbeat_at", TIME, default="now()"),
        optional("finished_at", TIME),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id", "number"),
        sa.UniqueConstraint("token"),
        sa.CheckConstraint(
            "state IN ('running', 'completed', 'failed', 'lost', 'cancelled')", name="state"
        ),
    )
    index("ix_attempt_flow_run_id", "attempt", "flow_run_id")
    index("uq_attempt_completed", "attempt", "run_id", where="state = 'completed'", unique=True)
    index("uq_attempt_running", "attempt", "run_id", where="state = 'running'", unique=True)
    op.create_table(
        "step",
        required("id", UUID),
        required("run_id", UUID, "run.id"),
        required("attempt_id", UUID, "attempt.id"),
        required("stage", TEXT),
        required("algorithm", TEXT),
        required("version", TEXT),
        required("implementation", TEXT),
        required("device", TEXT),
        required("packages", JSON),
        required("parameters", JSON),
        required("rejected", JSON),
        required("calls", INTEGER),
        required("seconds", sa.Double()),
        required("recorded_at", TIME, default="now()"),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("calls > 0 AND seconds >= 0", name="work"),
    )
    index("ix_step_attempt_id", "step", "attempt_id")
    index("ix_step_run_id_id", "step", "run_id", "id")
    op.create_table(
        "lineage",
        required("run_id", UUID, "run.id"),
        required("dataset_id", UUID, "dataset.id"),
        required("direction", TEXT),
        required("role", TEXT),
        optional("fingerprint", TEXT),
        required("entered_at", TIME, default="now()"),
        sa.PrimaryKeyConstraint("run_id", "dataset_id", "direction", "role"),
        sa.CheckConstraint("direction IN ('input', 'output')", name="direction"),
    )
    index("ix_lineage_dataset_id", "lineage", "dataset_id")


def boxes() -> None:
    """The outbox and the inbox."""
    op.create_table(
        "dispatch",
        required("id", UUID),
        required("run_id", UUID, "run.id"),
        required("key", TEXT),
        required("lane", TEXT),
        required("created_at", TIME, default="now()"),
        optional("sent_at", TIME),
        optional("flow_run_id", TEXT),
        required("tries", INTEGER, default="0"),
        required("next_try_at", TIME, default="now()"),
        optional("last_error", TEXT),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("flow_run_id"),
        sa.UniqueConstraint("key"),
        sa.CheckConstraint("lane IN ('live', 'reprocess')", name="lane"),
    )
    index("ix_dispatch_run_id", "dispatch", "run_id")
    index("uq_dispatch_unsent", "dispatch", "run_id", where="sent_at IS NULL", unique=True)
    op.create_table(
        "inbox",
        required("id", UUID),
        required("beamline_id", TEXT, "beamline.id"),
        optional("key", TEXT),
        required("payload", JSON),
        required("actor", TEXT),
        required("received_at", TIME, default="now()"),
        optional("handled_at", TIME),
        optional("note", TEXT),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    index("ix_inbox_waiting", "inbox", "id", where="handled_at IS NULL")


def history() -> None:
    """Events and verdicts, which are append-only, and the legal moves."""
    op.create_table(
        "transition",
        required("subject", TEXT),
        required("from_state", TEXT),
        required("to_state", TEXT),
        sa.PrimaryKeyConstraint("subject", "from_state", "to_state"),
    )
    op.create_table(
        "lifecycle_event",
        required("id", UUID),
        required("at", TIME, default="clock_timestamp()"),
        optional("dataset_id", UUID, "dataset.id"),
        optional("run_id", UUID, "run.id"),
        required("event", TEXT),
        required("level", TEXT, default="'info'"),
        optional("from_state", TEXT),
        optional("to_state", TEXT),
        required("actor", TEXT),
        optional("reason", TEXT),
        required("details", JSON, default="'{}'"),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("level IN ('info', 'alarm')", name="level"),
        sa.CheckConstraint("num_nonnulls(dataset_id, run_id) = 1", name="subject"),
    )
    index("ix_lifecycle_event_alarm", "lifecycle_event", "id", where="level = 'alarm'")
    index("ix_lifecycle_event_dataset_id_id", "lifecycle_event", "dataset_id", "id")
    index("ix_lifecycle_event_run_id_id", "lifecycle_event", "run_id", "id")
    op.create_table(
        "verdict",
        required("id", UUID),
        required("dataset_id", UUID, "dataset.id"),
        required("verdict", TEXT),
        required("reasons", JSON),
        required("quality", JSON),
        required("actor", TEXT),
        required("at", TIME, default="now()"),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("verdict IN ('ok', 'check', 'bad')", name="verdict"),
    )
    index("ix_verdict_dataset_id_id", "verdict", "dataset_id", "id")
