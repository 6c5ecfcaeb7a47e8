"""A large catalogue, made with COPY: beamlines at work side by side for three years.

Ids are ordered in time, proposals and their samples come in beam times of some days, calibrations
serve many scans (a mask serves all of its beamline), some runs failed, some datasets stand in
quarantine. The guards do not look on (``session_replication_role``), and indexes are made after the
rows; the plans of queries are those of a catalogue that grew.
"""

import io
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy import Engine, text

START = datetime(2023, 11, 20, tzinfo=UTC)
YEARS = timedelta(days=3 * 365)
TECHNIQUES = ("ct", "ct", "xas", "pdf", "mx")
BEAMLINES = {f"bl{number:02d}": TECHNIQUES[number % 5] for number in range(1, 15)}
SCANS_PER_PROPOSAL = 1250
SCANS_PER_CALIBRATION = 50
FILES = {"data": 14, "output": 6}

ENGLISH = (
    "battery alloy tooth bone catalyst zeolite perovskite ceramic polymer fossil leaf pigment soil "
    "cement steel glass membrane fuel electrolyte enamel protein kinase crystal powder fibre foam "
    "magnet thin film nanoparticle corrosion fatigue creep weld diffusion porosity lithium cobalt "
    "nickel iron copper titanium zirconia silica hydrogen storage operando tomography"
)
CHINESE = "电池 牙齿 骨骼 催化剂 钙钛矿 陶瓷 化石 叶片 颜料 水泥 钢 玻璃 蛋白质 晶体 粉末 锂 钴 镍"
FORMULAS = ("LiCoO2", "Fe2O3", "CeO2", "LaB6", "Si", "Ni", "CaCO3", "BaTiO3", "ZrO2", "")
RARE_ENGLISH, RARE_CHINESE = "obsidian", "琥珀"  # one proposal each has these in its title

TABLES = {
    "storage": "id name root",
    "beamline": "id name technique flow folders output_template calibration_max_age",
    "proposal": "id code title",
    "visit": "id proposal_id code",
    "sample": "id proposal_id name formula",
    "dataset": "id kind beamline_id entry_key base_key name technique format uid started_at "
    "taken_at created_at state state_reason state_at visibility rule proposal_id visit_id "
    "sample_id detector metadata search_text search_pairs output_folder source_id run_id flow "
    "version is_current verdict",
    "dataset_file": "id dataset_id storage_id path role size mtime_ns media_type fingerprint "
    "digest digest_algorithm",
    "calibration": "dataset_id kind detector",
    "dataset_calibration": "dataset_id calibration_id role",
    "run": "id dataset_id flow recipe_version parameters run_key actor reason lane version state "
    "state_reason state_at token stage created_at started_at finished_at",
    "attempt": "id run_id number token flow_run_id host pid state claimed_at finished_at",
    "step": "id run_id attempt_id stage algorithm version implementation device packages "
    "parameters rejected calls seconds recorded_at",
    "lineage": "run_id dataset_id direction role",
    "dispatch": "id run_id key lane created_at sent_at flow_run_id",
    "lifecycle_event": "id at dataset_id run_id event from_state to_state actor reason",
    "verdict": "id dataset_id verdict reasons quality actor at",
}
METADATA = json.dumps(
    {
        "scan": 1,
        "plan": "fly",
        "energy_kev": 25.0,
        "exposure_seconds": 0.02,
        "distance_mm": 120.0,
        "sources": {"proposal": "path", "sample": "file"},
    }
)
STEPS = ("read", "normalise", "axis", "reconstruct", "write")


@dataclass
class Proposal:
    """A proposal with what its datasets carry."""

    id: str
    visit: str
    code: str
    title: str
    samples: list[tuple[str, str, str]]


@dataclass
class World:
    """Makes the rows, scan by scan, and keeps them until they are copied."""

    scans: int
    random: Random = field(default_factory=lambda: Random(7))  # noqa: S311 - the same rows each time
    rows: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    proposals: dict[str, list[Proposal]] = field(default_factory=dict)
    calibrations: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    seen: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    token: int = 0
    last: int = 0

    def id(self, at: datetime) -> str:
        """Make a time-ordered id (version 7) for a moment; each is later than the one before."""
        self.last = max(int(at.timestamp() * 1000) << 12, self.last + 1)
        high = (self.last >> 12 << 16) | 0x7000 | (self.last & 0xFFF)
        return f"{(high << 64) | (0b10 << 62) | self.random.getrandbits(62):032x}"

    def add(self, table: str, *values: object) -> None:
        """Keep a row in COPY's text form."""
        self.rows[table].append("\t".join(["\\N" if v is None else str(v) for v in values]))

    def places(self) -> None:
        """Make storages, beamlines, proposals, visits and samples."""
        self.storages = {name: self.id(START) for name in ("raw", "processed")}
        for name, key in self.storages.items():
            self.add("storage", key, name, f"/data/{name}")
        per_beamline = max(self.scans // SCANS_PER_PROPOSAL // len(BEAMLINES), 2)
        total = per_beamline * len(BEAMLINES)
        for beamline, technique in BEAMLINES.items():
            output = "/data/processed/{proposal}/{scan}"
            self.add(
                "beamline", beamline, beamline.upper(), technique, technique, "{/data/raw}", output,
                "1 day",
            )  # fmt: skip
            self.proposals[beamline] = [self._proposal(total) for _ in range(per_beamline)]

    def _proposal(self, total: int) -> Proposal:
        self.seen["proposal"] += 1
        number = self.seen["proposal"]
        words = [self._word() for _ in range(5)]
        words += {total // 3: [RARE_ENGLISH], total // 2: [RARE_CHINESE]}.get(number, [])
        title, code = " ".join(words), f"2023-{number:05d}"
        one = Proposal(self.id(START), self.id(START), code, title, [])
        self.add("proposal", one.id, code, title)
        self.add("visit", one.visit, one.id, f"{code}-1")
        for count in range(20):
            name, formula = f"{self._word()} {count}", self.random.choice(FORMULAS)
            one.samples.append((self.id(START), name, formula))
            self.add("sample", one.samples[-1][0], one.id, name, formula or None)
        return one

    def _word(self) -> str:
        """Choose a word; the first ones come most often."""
        words = (ENGLISH if self.random.random() < 0.7 else CHINESE).split()
        return words[min(int(self.random.expovariate(6 / len(words))), len(words) - 1)]

    def scan(self, number: int) -> None:
        """Make a scan with all that follows from it."""
        at = START + YEARS * (number / self.scans)
        beamline = self.random.choice(list(BEAMLINES))
        own = self.proposals[beamline]
        proposal = own[min(int(number / self.scans * len(own)), len(own) - 1)]
        if self.seen[beamline] % SCANS_PER_CALIBRATION == 0:
            self._calibrate(beamline, proposal, at)
        self.seen[beamline] += 1
        self._reduce(number, beamline, proposal, at)

    def _calibrate(self, beamline: str, proposal: Proposal, at: datetime) -> None:
        current = self.calibrations[beamline]
        for kind in ("flat", "dark") if "mask" in current else ("mask", "flat", "dark"):
            name = f"{kind}_{self.seen[beamline]:06d}"
            current[kind] = self._dataset("calibration", beamline, proposal, at, name)
            self._files(current[kind], "raw", beamline, name, at, 1)
            self.add("calibration", current[kind], kind, "2048 x 2048")

    def _reduce(self, number: int, beamline: str, proposal: Proposal, at: datetime) -> None:
        fate = self.random.random()
        state, reason = "validated", None
        if fate > 0.99:
            state, reason = "quarantined", "the file announces 900 frames and holds 899"
        elif fate > 0.985:
            state = self.random.choice(("incomplete", "aborted", "waiting_for_calibration"))
        name = f"scan_{number:07d}"
        raw = self._dataset("raw", beamline, proposal, at, name, state=state, reason=reason)
        self._files(raw, "raw", beamline, name, at, self.random.randint(1, 2 * FILES["data"] - 1))
        for role, calibration in self.calibrations[beamline].items():
            self.add("dataset_calibration", raw, calibration, role)
        if state != "validated":
            return
        version, again = 1, self.random.random() < 0.05
        self._run(raw, beamline, proposal, at, name, version, current=not again)
        if again:
            self._run(raw, beamline, proposal, at, name, version + 1, current=True)

    def _dataset(
        self, kind: str, beamline: str, proposal: Proposal, at: datetime, name: str,
        state: str = "validated", reason: str | None = None, run: tuple[object, ...] | None = None,
    ) -> str:  # fmt: skip
        key = self.id(at)
        sample, sample_name, formula = proposal.samples[self.seen[beamline] // 60 % 20]
        unassigned = kind != "derived" and self.seen[beamline] % 200 == 0
        uid = None if run else key[::-1]
        known = (proposal.id, proposal.visit, sample)
        words = (name, uid, proposal.code, proposal.title, sample_name, formula)
        source, run_id, version, current, verdict = run or (None, None, None, "f", None)
        entry = f"{name}/{version}" if run else f"{name}.h5:/entry:{at.isoformat()}"
        search = " ".join(str(word) for word in words if word).lower()
        embargoed = at > START + YEARS * 0.6
        self.add(
            "dataset", key, kind, beamline, entry, entry, name, BEAMLINES[beamline], "dxchange",
            uid, at, at, at, state, reason, at, "embargoed" if embargoed else "public", "scans",
            *((None,) * 3 if unassigned else known), "2048 x 2048", METADATA,
            search, pairs(search),
            f"/data/processed/{proposal.code}/{name}/v{version}" if run else None,
            source, run_id, BEAMLINES[beamline] if run else None, version, current, verdict,
        )  # fmt: skip
        for before, after in (("registered", "acquired"), ("acquired", state)):
            if kind != "derived" or after == "validated":
                self.add("lifecycle_event", self.id(at), at, key, None, after, before, after,
                         "trigger", reason)  # fmt: skip
        return key

    def _files(
        self, dataset: str, storage: str, beamline: str, name: str, at: datetime, count: int
    ) -> None:
        folder = f"{beamline}/{at:%Y/%m/%d}/{name}"
        for number in range(count):
            digest = f"{self.random.getrandbits(256):064x}"
            derived = storage == "processed"
            picture = derived and number in (1, 2)
            ending = "png" if picture else "h5"
            self.add(
                "dataset_file", self.id(at), dataset, self.storages[storage],
                f"{folder}/{dataset[-6:]}_{number:04d}.{ending}",
                ("preview" if picture else "output") if derived else "data",
                8_388_608 + number, int(at.timestamp() * 1e9), "image/png" if picture else None,
                digest[:32], digest if derived else None, "sha256" if derived else None,
            )  # fmt: skip

    def _run(
        self, raw: str, beamline: str, proposal: Proposal, at: datetime, name: str, version: int,
        *, current: bool,
    ) -> None:  # fmt: skip
        run, flow = self.id(at), BEAMLINES[beamline]
        failed = self.random.random() < 0.02
        state = "failed" if failed else "completed"
        self.token += 1
        why = "the rotation axis was not found: too few counts" if failed else None
        self.add(
            "run", run, raw, flow, "1", '{"filter": "ramp"}', run[::-1], "trigger", "arrived",
            "live" if version == 1 else "reprocess", version, state, why, at, self.token, "write",
            at, at, at,
        )  # fmt: skip
        attempt = self.id(at)
        flow_run = f"flow-run-{self.token}"
        self.add("attempt", attempt, run, 1, self.token, flow_run, "host", 1, state, at, at)
        self.add("dispatch", self.id(at), run, run, "live", at, at, flow_run)
        for stage in STEPS[: 3 if failed else 5]:
            self.add("step", self.id(at), run, attempt, stage, f"{flow}.{stage}", "1", "numpy",
                     "cpu", '{"numpy": "2.4.6"}', "{}", "[]", 8, 1.5, at)  # fmt: skip
        for before, after in (("waiting", "running"), ("running", state)):
            self.add("lifecycle_event", self.id(at), at, None, run, after, before, after, "flow",
                     why)  # fmt: skip
        self.add("lineage", run, raw, "input", "data")
        for role, calibration in self.calibrations[beamline].items():
            self.add("lineage", run, calibration, "input", role)
        if not failed:
            self._result(raw, run, beamline, proposal, at, name, version, current)

    def _result(
        self, raw: str, run: str, beamline: str, proposal: Proposal, at: datetime, name: str,
        version: int, current: bool,
    ) -> None:  # fmt: skip
        verdict = self.random.choices(("ok", "check", "bad"), (0.93, 0.06, 0.01))[0]
        made = (raw, run, version, "t" if current else "f", verdict)
        derived = self._dataset("derived", beamline, proposal, at, name, run=made)
        folder = f"{proposal.code}/{name}/v{version}"
        self._files(derived, "processed", beamline, folder, at, FILES["output"])
        self.add("lineage", run, derived, "output", "result")
        reasons = [] if verdict == "ok" else ["the two halves agree to 3 px only"]
        self.add("verdict", self.id(at), derived, verdict, json.dumps(reasons),
                 '{"rotation_axis_px": 1023.5, "confidence": 0.9}', "flow", at)  # fmt: skip


def pairs(search: str) -> str:
    """Return the signs that are not ASCII, and their pairs, as the database's own trigger does."""
    runs = [word for word in search.split() if not word.isascii()]
    parts = {run[n : n + size] for run in runs for n in range(len(run)) for size in (1, 2)}
    return "{" + ",".join(sorted(parts)) + "}"


def fill(admin: Engine, scans: int, batch: int = 2000) -> dict[str, int]:
    """Fill an empty, migrated catalogue; return the number of rows by table.

    Parameters
    ----------
    admin
        The catalogue as the superuser: guards are switched off for this session.
    scans
        How many; a scan makes about two datasets, twenty files and forty-five rows in all.
    """
    world, counts = World(scans), defaultdict(int)
    with admin.connect() as connection:
        later = _drop_indexes(connection)
        connection.execute(text("SET session_replication_role = replica"))
        world.places()
        for number in range(scans):
            world.scan(number)
            if number % batch == batch - 1 or number == scans - 1:
                _copy(connection, world.rows, counts)
                connection.commit()
        for statement in later:
            connection.execute(text(statement))
        connection.commit()
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return dict(counts)


def _copy(connection, rows, counts) -> None:
    cursor = connection.connection.cursor()
    for table, columns in TABLES.items():
        if rows[table]:
            lines = io.StringIO("\n".join(rows[table]) + "\n")
            cursor.copy_expert(f"COPY {table} ({', '.join(columns.split())}) FROM STDIN", lines)
            counts[table] += len(rows.pop(table))


def _drop_indexes(connection) -> list[str]:
    """Drop what can be made later, all but primary keys; return the statements that make it."""
    mine = {"tables": list(TABLES)}
    unique = connection.execute(
        text(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'u' AND conrelid::regclass::text = ANY(:tables)"
        ),
        mine,
    ).all()
    plain = connection.execute(
        text(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename ="
            " ANY(:tables) AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        ),
        mine,
    ).all()
    for table, name, _ in unique:
        connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
    for name, _ in plain:
        connection.execute(text(f"DROP INDEX {name}"))
    connection.commit()
    keep = [f"ALTER TABLE {table} ADD CONSTRAINT {name} {form}" for table, name, form in unique]
    return [*keep, *(definition for _, definition in plain)]
