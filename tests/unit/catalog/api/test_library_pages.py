"""The pages of spectral libraries, and the plot of a spectrum."""

import pytest
from sqlalchemy.orm import Session

from catalog import library
from catalog.web.spectrum_svg import draw

BROWSER = {"accept": "text/html"}
ENERGY = [7000.0 + 2.5 * step for step in range(60)]
MU = [0.1 + step / 3 for step in range(60)]


@pytest.fixture
def read(fresh_client):
    def get(path, status=200):
        response = fresh_client.get(path, headers=BROWSER)
        assert response.status_code == status
        return response.text

    return get


@pytest.fixture
def spectrum(catalog_engine):
    """Add a spectrum with awkward words to a library, and return its id."""
    with Session(catalog_engine) as session, session.begin():
        kept = library.create(session, "Fe & co", actor="ada", description="<b>standards</b>")
        new = library.new_spectrum(
            name="a<b", compound="赤铁矿", element="Fe", edge="K", energy=ENERGY, mu=MU, e0=7112.0,
            metadata={"temperature": "10 K"},
        )  # fmt: skip
        return library.add(session, kept, new, actor="ada").id


def test_libraries(read, spectrum) -> None:
    html = read("/libraries")
    assert 'href="/libraries/Fe%20%26%20co"' in html
    assert "&lt;b&gt;standards&lt;/b&gt;" in html
    assert "everybody" in html


def test_there_is_none_yet(read) -> None:
    assert "dayseye library add" in read("/libraries")


def test_a_library_and_a_search_in_it(read, spectrum) -> None:
    for query in ("", "?element=Fe&edge=&text=", "?text=赤铁矿"):
        assert f'href="/library-spectra/{spectrum}"' in read(f"/libraries/Fe%20%26%20co{query}")
    html = read("/libraries/Fe%20%26%20co?element=Cu")
    assert "No spectrum fits" in html
    assert str(spectrum) not in html
    assert "No library" in read("/libraries/none", 404)


def test_a_spectrum(read, spectrum, catalog_engine) -> None:
    html = read(f"/library-spectra/{spectrum}")
    for word in ("赤铁矿", "a&lt;b", "Fe K edge", "7112", "10 K", "<polyline", "7000.0 to 7147.5"):
        assert word in html
    assert "Retired" not in html
    with Session(catalog_engine) as session, session.begin():
        library.retire(session, spectrum, actor="bob", reason="it was a foil")
    assert "it was a foil (bob" in read(f"/library-spectra/{spectrum}")


def test_the_plot_has_its_points_in_their_places() -> None:
    plot = draw([0.0, 50.0, 100.0], [1.0, 1.0, 2.0])
    first, second, last = (tuple(map(float, each.split(","))) for each in plot.line.split())
    assert first[0] == plot.left
    assert first[1] == second[1] == plot.bottom
    assert second[0] == pytest.approx((first[0] + last[0]) / 2, abs=0.1)
    assert last[1] < first[1]  # up
    assert [tick.label for tick in plot.energies] == ["0", "20", "40", "60", "80", "100"]
    assert plot.energies[-1].at == last[0]


def test_a_plot_of_very_many_points_or_of_one_value() -> None:
    many = draw([float(n) for n in range(1, 100_001)], [1.0] * 100_000)
    assert len(many.line.split()) <= 2000
    assert [tick.label for tick in many.values] == ["1"]
