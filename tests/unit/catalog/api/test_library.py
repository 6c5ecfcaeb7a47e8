"""Spectral libraries over the API."""

import pytest
from sqlalchemy.orm import Session

from catalog import library

TOKEN = {"Authorization": "Bearer correct horse battery staple"}
ENERGY = [7000.0 + 2.5 * step for step in range(60)]
MU = [0.1 + step / 3 for step in range(60)]
HEMATITE = {
    "name": "Fe2O3_rt", "compound": "hematite", "formula": "Fe2O3", "element": "Fe", "edge": "K",
    "mode": "transmission", "metadata": {"temperature": "room"}, "energy": ENERGY, "mu": MU,
}  # fmt: skip
SPECTRA = "/api/libraries/iron/spectra"


@pytest.fixture
def api(fresh_client, catalog_engine):
    with Session(catalog_engine) as session, session.begin():
        library.create(session, "iron", actor="ada", licence="CC0-1.0", description="standards")
    return fresh_client


@pytest.fixture
def post(api):
    def add(headers=TOKEN, **changes):
        return api.post(SPECTRA, headers=headers, json=HEMATITE | changes)

    return add


def test_a_spectrum_comes_back_with_its_numbers(api, post) -> None:
    added = post()
    assert (added.status_code, added.json()["outcome"]) == (201, "added")
    found = api.get(added.headers["Location"]).json()
    assert (found["energy"], found["mu"]) == (ENERGY, MU)
    assert (found["added_by"], found["licence"]) == ("api", "CC0-1.0")
    assert found["metadata"] == {"temperature": "room"}
    [iron] = api.get("/api/libraries").json()
    assert (iron["name"], iron["spectra"], iron["elements"]) == ("iron", 1, ["Fe"])


def test_adding_again(api, post) -> None:
    first = post().json()
    again = post()
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert again.json()["outcome"] == "unchanged"
    other = post(mu=ENERGY).json()
    assert (other["outcome"], other["revision"]) == ("revised", 2)
    assert [each["id"] for each in api.get(SPECTRA).json()["items"]] == [other["id"]]


def test_filters_and_pages(api, post) -> None:
    for name, element, edge in (("a", "Fe", "K"), ("b", "Fe", "K"), ("c", "Pt", "L3")):
        post(name=name, element=element, edge=edge)

    def names(query):
        return [each["name"] for each in api.get(f"{SPECTRA}?{query}").json()["items"]]

    assert names("element=Fe") == ["b", "a"]
    assert names("edge=L3") == names("text=c%20hematite&element=Pt") == ["c"]
    page = api.get(f"{SPECTRA}?limit=2").json()
    assert names(f"cursor={page['next_cursor']}") == ["a"]
    assert "energy" not in page["items"][0]
    assert api.get(f"{SPECTRA}?elements=Fe").status_code == 422  # a slip of the pen


def test_a_retired_spectrum_stays_on_record(api, post) -> None:
    added = post().json()
    path = f"/api/library-spectra/{added['id']}/retire"
    retired = api.post(path, headers=TOKEN, json={"reason": "it was a foil"}).json()
    assert (retired["retired_by"], retired["retired_reason"]) == ("api", "it was a foil")
    assert api.get(SPECTRA).json()["items"] == []
    [kept] = api.get(f"{SPECTRA}?retired=true").json()["items"]
    assert kept["retired_at"] == retired["retired_at"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"energy": ENERGY[::-1]}, "do not increase"),
        ({"mu": MU[:-1]}, "60 energies and 59 values of mu"),
        ({"element": "iron"}, "body.element"),
        ({"energies": ENERGY}, "body.energies"),
    ],
)
def test_what_is_no_spectrum_is_told(post, changes, told) -> None:
    refused = post(**changes)
    assert refused.status_code == 422
    assert told in refused.json()["detail"]


def test_what_is_not_there_and_who_may_not(api, post) -> None:
    assert post(headers={}).status_code == 401
    for path in ("/api/libraries/copper/spectra", "/api/library-spectra/" + "0" * 32):
        assert api.get(path).status_code == 404
    assert (
        api.post("/api/libraries/copper/spectra", headers=TOKEN, json=HEMATITE).status_code == 404
    )
