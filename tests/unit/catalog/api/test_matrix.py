"""Who may see and change what: every route, asked by everybody, for data of every kind.

A route without a row in the table fails here, so that none is added without a thought about it.
"""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, make_url, select, text
from sqlalchemy.orm import Session
from starlette.routing import Mount, Route

from catalog import library, live
from catalog.access import EVERYTHING, Viewer, grants, tokens, visibility
from catalog.api import create_app
from catalog.connection import connect
from catalog.models import AccessToken, DatasetFile, Principal
from catalog.states import Role

INSTALLATION = "correct horse battery staple"
PAST = datetime.now(UTC) - timedelta(days=1)

# -- what each route is ------------------------------------------------------------------------

OPEN = "open"  # says nothing about data
READER = "reader"  # everybody who may see anything
LIST = "list"  # shows what the viewer may see, and nothing else
DATASET = "dataset"  # 404 for what is not the viewer's
CHANGE = "change"  # 401 without a token, 404 for what is not theirs, 403 for what they may only see
OPERATOR = "operator"  # figures about the whole facility
STAFF = "staff"
REPORTER = "reporter"
FORM = "form"  # logging in and out: test_login.py

MATRIX = {
    "GET /": LIST,
    "GET /runs": LIST,
    "GET /datasets/{dataset_id}": DATASET,
    "GET /runs/{run_id}": DATASET,
    "GET /libraries": LIST,
    "GET /libraries/{name}": DATASET,
    "GET /library-spectra/{spectrum_id}": DATASET,
    "GET /login": OPEN,
    "POST /login": FORM,
    "POST /logout": FORM,
    "GET /status": OPERATOR,
    "GET /api/datasets": LIST,
    "GET /api/runs": LIST,
    "GET /api/datasets/{dataset_id}": DATASET,
    "GET /api/datasets/{dataset_id}/lineage": DATASET,
    "GET /api/datasets/{dataset_id}/files/{file_id}/content": DATASET,
    "GET /api/datasets/{dataset_id}/live": DATASET,
    "GET /api/datasets/{dataset_id}/live.png": DATASET,
    "GET /api/datasets/{dataset_id}/custody": DATASET,
    "POST /api/datasets/{dataset_id}/copies": STAFF,
    "POST /api/datasets/{dataset_id}/holds": CHANGE,
    "POST /api/datasets/{dataset_id}/holds/release": CHANGE,
    "GET /api/datasets/{dataset_id}/verdicts": DATASET,
    "GET /api/datasets/{dataset_id}/history": DATASET,
    "GET /api/datasets/{dataset_id}/crate": DATASET,
    "GET /api/datasets/{dataset_id}/prov": DATASET,
    "GET /api/datasets/{dataset_id}/affected": DATASET,
    "GET /api/quarantine": READER,
    "POST /api/datasets/{dataset_id}/accept": CHANGE,
    "POST /api/datasets/{dataset_id}/recheck": CHANGE,
    "POST /api/datasets/{dataset_id}/release": CHANGE,
    "POST /api/datasets/{dataset_id}/sample": CHANGE,
    "POST /api/datasets/{dataset_id}/assign": STAFF,
    "POST /api/datasets/{dataset_id}/quarantine": STAFF,
    "POST /api/samples": STAFF,
    "POST /api/samples/csv": STAFF,
    "GET /api/runs/{run_id}": DATASET,
    "POST /api/datasets/{dataset_id}/runs": CHANGE,
    "POST /api/runs/{run_id}/retry": CHANGE,
    "POST /api/reprocess": STAFF,
    "GET /api/beamlines/paused": OPERATOR,
    "POST /api/beamlines/{beamline}/pause": STAFF,
    "POST /api/beamlines/{beamline}/resume": STAFF,
    "POST /api/datasets/{dataset_id}/verdicts": CHANGE,
    "POST /api/datasets/{dataset_id}/visibility": CHANGE,
    "GET /api/libraries": LIST,
    "GET /api/libraries/{name}/spectra": DATASET,
    "POST /api/libraries/{name}/spectra": CHANGE,
    "GET /api/library-spectra/{spectrum_id}": DATASET,
    "POST /api/library-spectra/{spectrum_id}/retire": CHANGE,
    "POST /api/arrivals": REPORTER,
    "GET /api/health": OPEN,
    "GET /api/openapi.json": OPEN,
    "GET /static": OPEN,
    "GET /api/status": OPERATOR,
    "GET /metrics": OPERATOR,
    "GET /api/me": READER,
    "GET /api/principals": STAFF,
    "GET /api/tokens": STAFF,
    "POST /api/tokens": STAFF,
    "DELETE /api/tokens/{token_id}": STAFF,
    "GET /api/grants": STAFF,
    "POST /api/grants": STAFF,
    "DELETE /api/grants/{principal}/{proposal}": STAFF,
}

# -- data of every kind, and everybody ---------------------------------------------------------


@dataclass
class Data:
    """A scan with a result, its run and a picture, a library of its team, and who sees them."""

    label: str
    proposal: str | None
    raw: UUID
    derived: UUID
    run: UUID
    file: UUID
    spectrum: UUID

    @property
    def library(self) -> str:
        return f"library of {self.raw}"

    def secrets(self) -> set[str]:
        known = (self.raw, self.derived, self.run, self.spectrum)
        return {f"scan-{self.label}", *map(str, known)}

    def seen_by(self, asker: str) -> bool:
        if asker in ("staff", "installation"):
            return True
        mine = asker in ("reader", "member") and self.proposal == "own"
        return self.label == "public" or mine

    def changed_by(self, asker: str) -> bool:
        if asker in ("staff", "installation"):
            return True
        return asker == "member" and self.proposal == "own"


LABELS = {
    "own": "own",
    "own-proprietary": "own",
    "foreign": "other",
    "embargoed": "other",
    "proprietary": "other",
    "public": "other",
    "unassigned": None,
}
ASKERS = ("anonymous", "stranger", "reader", "member", "service", "staff", "installation")
SHUT_OUT = ("revoked", "expired", "disabled", "unknown")


@dataclass
class Facility:
    engine: Engine
    data: dict[str, Data]
    flats: UUID
    darks: UUID
    secrets: dict[str, str]

    def client(self, anonymous: str = "public") -> TestClient:
        app = create_app(
            self.engine,
            public_url="http://127.0.0.1",
            prefect_ui_url="",
            token=INSTALLATION,
            anonymous=anonymous,
        )
        return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)

    def headers(self, asker: str) -> dict[str, str]:
        secret = self.secrets.get(asker)
        return {"Authorization": f"Bearer {secret}"} if secret else {}


@pytest.fixture(scope="module")
def facility(postgres, admin_engine, catalog_template, tmp_path_factory, world_of) -> Iterator:
    with admin_engine.connect() as connection:
        connection.execute(
            text(f"CREATE DATABASE matrix TEMPLATE {catalog_template} OWNER dayseye_owner")
        )
    url = make_url(postgres.dsn("catalog", "app")).set(database="matrix")
    engine = connect(url.render_as_string(hide_password=False))
    yield build(engine, world_of(engine, tmp_path_factory.mktemp("matrix")))
    engine.dispose()


@pytest.fixture(scope="module")
def client(facility: Facility) -> Iterator[TestClient]:
    with facility.client() as client:
        yield client


def build(engine: Engine, world) -> Facility:
    flats = world.land(
        "shared-flats", kind="calibration", calibration_kinds=("flat",), proposal=None
    )
    darks = world.land("own-darks", kind="calibration", calibration_kinds=("dark",), proposal="own")
    data = {label: reduced(world, label, proposal) for label, proposal in LABELS.items()}
    with Session(engine) as session, session.begin():
        for label, to in (("public", "public"), ("proprietary", "proprietary")):
            show(session, data[label].raw, to)
        show(session, data["own-proprietary"].raw, "proprietary")
        until = datetime.now(UTC) + timedelta(days=100)
        show(session, data["embargoed"].raw, "embargoed", until)
    with Session(engine) as session, session.begin():
        secrets = people(session)
    return Facility(engine, data, flats.dataset_id, darks.dataset_id, secrets)


def reduced(world, label: str, proposal: str | None) -> Data:
    raw = world.land(
        f"scan-{label}", proposal=proposal, sample=f"sample-{label}", needs=("flat", "dark")
    ).dataset_id
    held = world.begin(raw, f"flow-run-{label}")
    derived = world.finish(held)
    with Session(world.engine) as session:
        file = session.scalars(
            select(DatasetFile.id).where(
                DatasetFile.dataset_id == derived, DatasetFile.media_type == "image/png"
            )
        ).one()
    with Session(world.engine) as session, session.begin():
        live.show(session, raw, live.Seen(3, 10, {}, b"a picture", f"scan-{label}"))
    spectrum = a_library(world.engine, label, proposal, raw)
    return Data(label, proposal, raw, derived, held.run_id, file, spectrum)


def a_library(engine: Engine, label: str, proposal: str | None, raw: UUID) -> UUID:
    """Make a library with a spectrum that is seen by who sees the scan, and return the latter."""
    whose = None if label == "public" else proposal or "other"
    with Session(engine) as session, session.begin():
        made = library.create(session, f"library of {raw}", actor="test", proposal=whose)
        numbers = [float(number) for number in range(7000, 7100)]
        new = library.new_spectrum(
            name=f"scan-{label}", compound="x", element="Fe", edge="K", energy=numbers, mu=numbers
        )
        return library.add(session, made, new, actor="test").id


def show(session: Session, dataset: UUID, to: str, until: datetime | None = None) -> None:
    visibility.change(
        session,
        EVERYTHING,
        dataset,
        visibility.Visibility(to),
        reason="a test",
        until=until,
        with_results=True,
    )


def people(session: Session) -> dict[str, str]:
    """Make a token for everybody, and return the secrets."""
    secrets = {"installation": INSTALLATION, "unknown": "dayseye_never-made"}
    for name in ("stranger", "reader", "member", "revoked", "expired", "disabled"):
        secrets[name] = tokens.create_token(session, name, role=Role.USER).token
    secrets["staff"] = tokens.create_token(session, "the-staff", role=Role.STAFF).token
    secrets["service"] = tokens.create_token(session, "a-program", role=Role.SERVICE).token
    grants.give(session, "reader", "own", "read", by="test")
    for name in ("member", "revoked", "expired", "disabled"):
        grants.give(session, name, "own", "write", by="test")
    for name in ("revoked", "expired"):
        owner = session.scalars(select(Principal.id).where(Principal.name == name)).one()
        token = session.scalars(select(AccessToken).where(AccessToken.principal_id == owner)).one()
        setattr(token, f"{name}_at" if name == "revoked" else "expires_at", PAST)
    tokens.set_disabled(session, "disabled", True)
    # a grant that was taken back is none
    grants.give(session, "stranger", "own", "write", by="test")
    grants.revoke(session, "stranger", "own", by="test")
    return secrets


# -- the routes --------------------------------------------------------------------------------


def routes() -> list[str]:
    engine = connect("postgresql://nobody@127.0.0.1:1/none")
    app = create_app(engine, public_url="", prefect_ui_url="", token="x")
    return list(paths(app.routes))


def paths(found) -> Iterator[str]:
    for route in found:
        if included := getattr(route, "original_router", None):
            yield from paths(included.routes)
        elif isinstance(route, Mount):
            yield f"GET {route.path}"
        else:
            assert isinstance(route, Route), f"{route} is of an unknown kind"
            yield from (f"{method} {route.path}" for method in sorted(route.methods - {"HEAD"}))


def test_every_route_has_a_row() -> None:
    there = set(routes())
    assert there - set(MATRIX) == set(), "say in MATRIX who may ask for these"
    assert set(MATRIX) - there == set(), "these are gone"


def of(*kinds: str) -> list[str]:
    return [route for route, kind in MATRIX.items() if kind in kinds]


def ask(client: TestClient, facility: Facility, route: str, asker: str, about: Data | None = None):
    method, path = route.split(" ")
    about = about or facility.data["own"]
    dataset = about.derived if "{file_id}" in path else about.raw
    for name, value in {
        "dataset_id": dataset,
        "run_id": about.run,
        "file_id": about.file,
        "name": about.library,
        "spectrum_id": about.spectrum,
        "token_id": uuid4(),
        "principal": "nobody",
        "proposal": "nothing",
    }.items():
        path = path.replace(f"{{{name}}}", str(value))
    # a body that fits nothing: who is let in is told so (422), and nothing is changed
    body = {"json": {"no such": "key"}} if method in ("POST", "PUT", "PATCH") else {}
    return client.request(method, path, headers=facility.headers(asker), **body)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("route", of(DATASET))
def test_what_is_not_yours_is_not_there(client, facility, route, asker, label) -> None:
    about = facility.data[label]
    response = ask(client, facility, route, asker, about)
    assert response.status_code == (200 if about.seen_by(asker) else 404)
    assert_nothing_leaks(facility, response, asker, asked=about)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("route", of(CHANGE))
def test_who_changes_what(client, facility, route, asker, label) -> None:
    about = facility.data[label]
    status = ask(client, facility, route, asker, about).status_code
    if asker == "anonymous":
        assert status == 401
    elif not about.seen_by(asker):
        assert status == 404
    else:
        assert status == (422 if about.changed_by(asker) else 403)


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("route", of(LIST))
def test_lists_show_what_is_yours_alone(client, facility, route, asker) -> None:
    response = ask(client, facility, route, asker)
    assert response.status_code == 200
    for about in facility.data.values():
        assert (str(about.raw) in response.text) == about.seen_by(asker), about.label
    assert_nothing_leaks(facility, response, asker)


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize(
    "query", ["text=scan", "kind=derived", "proposal=other", "sample=sample-foreign"]
)
def test_searching_finds_no_more(client, facility, asker, query) -> None:
    response = client.get(f"/api/datasets?limit=200&{query}", headers=facility.headers(asker))
    assert_nothing_leaks(facility, response, asker)


def assert_nothing_leaks(
    facility: Facility, response, asker: str, asked: Data | None = None
) -> None:
    known = set() if asked is None else asked.secrets()
    for about in facility.data.values():
        if not about.seen_by(asker):
            leaked = {word for word in about.secrets() - known if word in response.text}
            assert not leaked, f"{asker} learns of {about.label}"
    if asker not in ("staff", "installation"):
        assert str(facility.flats) not in response.text
        assert "shared-flats" not in response.text


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("route", of(OPERATOR, STAFF, REPORTER, READER, OPEN))
def test_what_is_about_the_facility(client, facility, route, asker) -> None:
    kind = MATRIX[route]
    status = ask(client, facility, route, asker).status_code
    allowed = {
        OPEN: ASKERS,
        READER: ASKERS,
        OPERATOR: ("service", "staff", "installation"),
        REPORTER: ("service", "staff", "installation"),
        STAFF: ("staff", "installation"),
    }[kind]
    if asker in allowed:
        assert status not in (401, 403)
        assert status < 500
    else:
        assert status == (401 if asker == "anonymous" else 403)


@pytest.mark.parametrize("asker", SHUT_OUT)
@pytest.mark.parametrize(
    "route", [route for route, kind in MATRIX.items() if kind not in (OPEN, FORM)]
)
def test_a_token_that_does_not_hold_is_refused(client, facility, route, asker) -> None:
    assert ask(client, facility, route, asker).status_code == 401


@pytest.mark.parametrize(
    "route", [route for route, kind in MATRIX.items() if kind not in (OPEN, FORM)]
)
def test_nothing_is_shown_without_a_token_where_that_is_set(facility, route) -> None:
    with facility.client("nothing") as client:
        for about in facility.data.values():
            assert ask(client, facility, route, "anonymous", about).status_code == 401


@pytest.mark.parametrize("route", of(DATASET, LIST, OPERATOR))
def test_all_is_shown_without_a_token_where_that_is_set(facility, route) -> None:
    with facility.client("all") as client:
        for about in facility.data.values():
            response = ask(client, facility, route, "anonymous", about)
            assert response.status_code == 200


@pytest.mark.parametrize("route", of(CHANGE, STAFF, REPORTER))
def test_nothing_is_changed_without_a_token_however_much_is_shown(facility, route) -> None:
    with facility.client("all") as client:
        assert ask(client, facility, route, "anonymous").status_code == 401


def test_a_viewer_without_anything_sees_nothing(facility) -> None:
    from catalog import queries
    from catalog.access import ViewedSession

    with ViewedSession(facility.engine, Viewer("nobody", sees_public=False)) as session:
        assert queries.list_datasets(session).items == []
        assert queries.list_runs(session).items == []


@pytest.mark.parametrize("asker", ["reader", "member", "staff"])
@pytest.mark.parametrize("route", [route for route in of(DATASET) if "{dataset_id}" in route])
def test_a_calibration_does_not_tell_whom_it_served(client, facility, route, asker) -> None:
    """Their own calibration went into everybody's scans."""
    path = route.split(" ")[1].replace("{dataset_id}", str(facility.darks))
    path = path.replace("{file_id}", str(uuid4()))
    response = client.get(path, headers=facility.headers(asker))
    assert response.status_code in (200, 404)
    assert_nothing_leaks(facility, response, asker)
    if path.endswith("/lineage"):
        assert (str(facility.data["foreign"].run) in response.text) == (asker == "staff")
        assert str(facility.data["own"].run) in response.text


@pytest.mark.parametrize("asker", ["anonymous", "member", "staff"])
def test_a_crate_names_no_input_that_is_not_yours(client, facility, asker) -> None:
    about = facility.data["public" if asker == "anonymous" else "own"]
    path = f"/api/datasets/{about.raw}/crate"
    response = client.get(path, headers=facility.headers(asker))
    with zipfile.ZipFile(io.BytesIO(response.content)) as zipped:
        told = zipped.read("ro-crate-metadata.json").decode()
    assert str(about.raw) in told
    assert (str(facility.flats) in told) == (asker == "staff")
    hidden = {"anonymous": 2, "member": 1}.get(asker)
    assert ("are not shown" in told) == (hidden is not None)
    if hidden:
        assert f"{hidden} inputs are not shown" in told
