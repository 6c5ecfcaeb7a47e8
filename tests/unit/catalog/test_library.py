"""Spectral libraries: added and never changed, and each seen by who may see it."""

from collections.abc import Callable, Iterator
from threading import Thread

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from catalog import library
from catalog.access import ViewedSession, Viewer
from catalog.errors import CatalogError, Forbidden, NotFound
from catalog.library import Added, NewSpectrum, SpectrumFilter, new_spectrum
from catalog.models import Proposal, RetirementRecord, SpectrumRecord

ENERGY = [7000.0 + 2 * step for step in range(100)]
MU = [0.1 + 1e-3 * step + (1 / 3 if step > 56 else 0) for step in range(100)]
TABLES = ("library", "library_spectrum", "library_retirement")


def hematite(**changes: object) -> NewSpectrum:
    values = {
        "name": "Fe2O3_rt_01", "compound": "hematite", "formula": "Fe2O3", "element": "Fe",
        "edge": "K", "origin": "APS 20-BM", "energy": ENERGY, "mu": MU,
    }  # fmt: skip
    return new_spectrum(**{**values, **changes})


@pytest.fixture
def iron(catalog_engine: Engine) -> Engine:
    """A catalogue with the library "iron", which is open to everybody."""
    with Session(catalog_engine) as session, session.begin():
        library.create(session, "iron", actor="ada", licence="CC0-1.0")
    return catalog_engine


@pytest.fixture
def session(iron: Engine) -> Iterator[Session]:
    with Session(iron) as session:
        yield session


@pytest.fixture
def add(session: Session) -> Callable[..., Added]:
    def one(into: str = "iron", **changes: object) -> Added:
        return library.add(session, library.find(session, into), hematite(**changes), actor="ada")

    return one


def test_the_numbers_come_back_to_the_last_bit(session: Session, add: Callable[..., Added]) -> None:
    added = add(metadata={"temperature": "10 K"}, e0=7112.0, file_name="a.xdi", format="xdi")
    session.commit()
    found = library.spectrum(session, added.id)
    assert found is not None
    assert (found.energy, found.mu) == (ENERGY, MU)
    assert (found.points, found.energy_min, found.energy_max) == (100, 7000.0, 7198.0)
    assert (found.licence, found.e0, found.metadata) == ("CC0-1.0", 7112.0, {"temperature": "10 K"})
    assert found.digest == library.numbers_digest(ENERGY, MU)
    assert (found.added_by, found.retired_at) == ("ada", None)


def test_the_same_numbers_are_there_once(session: Session, add: Callable[..., Added]) -> None:
    first = add()
    again = add(compound="iron oxide")
    assert (again.id, again.outcome, again.differs) == (first.id, "unchanged", ["compound"])
    assert session.scalar(select(func.count()).select_from(SpectrumRecord)) == 1


def test_other_numbers_are_a_new_revision(session: Session, add: Callable[..., Added]) -> None:
    first, second = add(), add(mu=[2 * mu for mu in MU])
    assert (second.outcome, second.revision) == ("revised", 2)
    [listed] = library.list_spectra(session, "iron").items
    assert listed.id == second.id
    both = library.list_spectra(session, "iron", SpectrumFilter(retired=True)).items
    assert [each.id for each in both] == [second.id, first.id]
    old = library.spectrum(session, first.id)
    assert old is not None
    assert (old.retired_by, old.retired_reason) == ("ada", "replaced by revision 2")


def test_what_is_retired_stays_and_does_not_count(
    session: Session, add: Callable[..., Added]
) -> None:
    added = add()
    before = library.digest(session, ["iron"], "Fe", "K")
    library.retire(session, added.id, actor="bob", reason="it was a foil")
    library.retire(session, added.id, actor="eve", reason="again")
    kept = library.spectrum(session, added.id)
    assert kept is not None
    assert (kept.retired_by, kept.retired_reason) == ("bob", "it was a foil")
    assert library.spectra(session, ["iron"], "Fe", "K") == []
    assert library.digest(session, ["iron"], "Fe", "K") != before
    again = add(compound="magnetite")  # how a fact is corrected
    assert (again.outcome, again.revision) == ("added", 2)
    iron = library.find(session, "iron")
    assert library.id_of(session, iron, "Fe2O3_rt_01") == again.id
    with pytest.raises(NotFound, match="No spectrum 'FeO' in the library iron"):
        library.id_of(session, iron, "FeO")
    with pytest.raises(CatalogError, match="Say why"):
        library.retire(session, added.id, actor="bob", reason=" ")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mu": MU[:-1]}, "100 energies and 99 values of mu"),
        ({"energy": ENERGY[::-1]}, "do not increase"),
        ({"energy": [*ENERGY[:-1], ENERGY[-2]]}, "merge points at one energy"),
        ({"energy": [-1.0, *ENERGY[1:]]}, "from a value above 0"),
        ({"mu": [*MU[:-1], float("nan")]}, r"mu\.99.*finite"),
        ({"energy": ENERGY[:9], "mu": MU[:9]}, "at least 10 items"),
        ({"element": "iron"}, "element"),
        ({"edge": "L-3"}, "edge"),
        ({"compound": ""}, "compound"),
    ],
)
def test_what_is_no_spectrum_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(CatalogError, match=f"Fe2O3_rt_01 cannot be added: .*{sentence}"):
        hematite(**changes)


def test_names_of_libraries(session: Session) -> None:
    for name in ("", " iron", ".iron", "a/b", "a\nb", "x" * 101):
        with pytest.raises(CatalogError, match="cannot be called"):
            library.create(session, name, actor="ada")
    with pytest.raises(CatalogError, match="'iron' already"):
        library.create(session, "iron", actor="ada")
    with pytest.raises(NotFound, match="No proposal 'x'"):
        library.create(session, "own", actor="ada", proposal="x")


def test_filters_and_pages(session: Session, add: Callable[..., Added]) -> None:
    copper = add(name="Cu", compound="胆矾", formula="CuSO4", element="Cu", edge="L3")
    irons = [add(name=f"iron_{n}", mu=[mu + n for mu in MU]) for n in range(5)]
    session.commit()

    def found(**given: str) -> list[str]:
        return [
            e.name for e in library.list_spectra(session, "iron", SpectrumFilter(**given)).items
        ]

    assert found(element="Cu") == found(edge="L3") == found(text="cuso4 aps") == ["Cu"]
    assert found(text="胆矾") == [copper.name]
    assert found(text="hematite iron_3") == ["iron_3"]
    assert found(text="100%") == found(element="Cu", edge="K") == []
    page = library.list_spectra(session, "iron", limit=2)
    assert [each.id for each in page.items] == [irons[4].id, irons[3].id]
    add(name="landed meanwhile")
    page = library.list_spectra(session, "iron", limit=4, cursor=page.next_cursor)
    assert [each.name for each in page.items] == ["iron_2", "iron_1", "iron_0", "Cu"]
    assert page.next_cursor is None
    with pytest.raises(NotFound, match="No library 'copper'"):
        library.list_spectra(session, "copper")


def test_libraries_side_by_side(session: Session, add: Callable[..., Added]) -> None:
    library.create(session, "empty", actor="bob", description="nothing yet")
    add()
    add(name="Cu", element="Cu")
    library.retire(session, add(name="Zn", element="Zn").id, actor="bob", reason="wrong")
    empty, iron = library.list_libraries(session)
    assert (empty.name, empty.spectra, empty.elements) == ("empty", 0, [])
    assert (iron.name, iron.spectra, iron.elements) == ("iron", 2, ["Cu", "Fe"])
    assert (iron.licence, iron.created_by) == ("CC0-1.0", "ada")


def test_what_a_flow_takes(session: Session, add: Callable[..., Added]) -> None:
    session.add(Proposal(code="mine"))
    session.flush()
    library.create(session, "own", actor="ada", proposal="mine")
    add(name="b", mu=[2 * mu for mu in MU])
    add(name="a", compound="magnetite", e0=7112.0)
    add(name="L", edge="L3")
    secret = add("own", name="c")
    taken = library.spectra(session, ["iron"], "Fe", "K")
    assert [(each.library, each.name, each.compound) for each in taken] == [
        ("iron", "a", "magnetite"),
        ("iron", "b", "hematite"),
    ]
    assert (taken[0].energy, taken[0].mu, taken[0].e0) == (ENERGY, MU, 7112.0)
    assert len(library.spectra(session, None, "Fe", "K")) == 2
    assert [e.id for e in library.spectra(session, ["own"], "Fe", "K", proposal="mine")] == [
        secret.id
    ]
    assert len(library.spectra(session, None, "Fe", "K", proposal="mine")) == 3
    for proposal in (None, "other"):
        with pytest.raises(NotFound, match=r"'own' for data of .*There are: iron"):
            library.spectra(session, ["own"], "Fe", "K", proposal=proposal)


def test_the_digest_is_that_of_what_is_taken(session: Session, add: Callable[..., Added]) -> None:
    add(name="a")
    told = library.digest(session, ["iron"], "Fe", "K")
    add(name="L", edge="L3")
    assert library.digest(session, ["iron"], "Fe", "K") == told
    revised = add(name="a", mu=[2 * mu for mu in MU])
    assert library.digest(session, ["iron"], "Fe", "K") != told
    library.retire(session, revised.id, actor="ada", reason="no")
    add(name="a")
    assert library.digest(session, ["iron"], "Fe", "K") == told


def test_who_sees_and_adds(iron: Engine) -> None:
    with Session(iron) as session, session.begin():
        session.add(Proposal(code="mine"))
        session.flush()
        own = library.create(session, "own", actor="ada", proposal="mine")
        proposal = own.proposal_id
        added = library.add(session, own, hematite(), actor="ada")
    assert proposal is not None
    stranger, reader = Viewer("stranger"), Viewer("li", grants={proposal: "read"})
    for viewer, seen in (
        (stranger, ["iron"]),
        (reader, ["iron", "own"]),
        (Viewer("nobody", sees_public=False), []),
        (Viewer("staff", sees_all=True), ["iron", "own"]),
    ):
        with ViewedSession(iron, viewer) as session:
            assert [each.name for each in library.list_libraries(session)] == seen
            assert (library.spectrum(session, added.id) is not None) == ("own" in seen)
    with Session(iron) as session:
        library.demand_write(session, Viewer("wu", grants={proposal: "write"}), "own")
        with pytest.raises(NotFound):
            library.demand_write(session, stranger, "own")
        for viewer, name in ((reader, "own"), (Viewer("wu", grants={proposal: "write"}), "iron")):
            with pytest.raises(Forbidden, match="and not change it"):
                library.demand_write(session, viewer, name)


# -- what the database itself refuses ------------------------------------------------------------


@pytest.fixture
def filled(iron: Engine) -> Engine:
    with Session(iron) as session, session.begin():
        kept = library.find(session, "iron")
        library.add(session, kept, hematite(), actor="ada")
        library.add(session, kept, hematite(mu=[2 * mu for mu in MU]), actor="ada")
    return iron


def test_nobody_changes_what_stands(filled: Engine, owner_engine: Engine) -> None:
    for table in TABLES:
        column = "reason" if table == "library_retirement" else "name"
        for change in (f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"):  # noqa: S608
            with (
                filled.connect() as connection,
                pytest.raises(ProgrammingError, match="permission denied"),
            ):
                connection.exec_driver_sql(change)
            with (
                owner_engine.connect() as connection,
                pytest.raises(DatabaseError, match=f"{table} is append-only"),
            ):
                connection.exec_driver_sql(change)


COPY = """
INSERT INTO library_spectrum (id, library_id, name, revision, compound, element, edge, energy, mu,
                              digest, added_by)
SELECT gen_random_uuid(), library_id, {name}, {revision}, compound, element, edge, {energy}, {mu},
       digest, added_by FROM library_spectrum WHERE revision = 2
"""
AS_IT_IS = {"name": "'x'", "revision": "1", "energy": "energy", "mu": "mu"}


REFUSED = (
    ({"name": "name", "revision": "3"}, "needs one before it that was retired"),
    ({"name": "name", "revision": "2"}, "uq_library_spectrum_library_id_name_revision"),
    ({"name": "name", "revision": "1"}, "uq_library_spectrum_library_id_name_revision"),
    ({"revision": "2"}, "needs one before it that was retired"),
    ({"energy": "energy[:9]", "mu": "mu[:9]"}, "ck_library_spectrum_points"),
    ({"energy": "energy || 9999.0"}, "no finite number"),
    ({"energy": "array_fill(7000.0::float8, '{100}')"}, "do not increase"),
    ({"mu": "mu[:99] || 'NaN'::float8"}, "no finite number"),
    ({"mu": "mu[:99] || '-Infinity'::float8"}, "no finite number"),
    ({"mu": "mu[:99] || NULL::float8"}, "no finite number"),
)


def test_what_the_database_refuses(filled: Engine) -> None:
    with filled.connect() as connection:
        connection.exec_driver_sql(COPY.format(**AS_IT_IS))
        connection.rollback()
        for changes, refused in REFUSED:
            with pytest.raises(IntegrityError, match=refused):
                connection.exec_driver_sql(COPY.format(**{**AS_IT_IS, **changes}))
            connection.rollback()


def test_who_add_at_once_take_turns(iron: Engine) -> None:
    def add(factor: int) -> None:
        with Session(iron) as session, session.begin():
            new = hematite(mu=[factor * mu for mu in MU])
            library.add(session, library.find(session, "iron"), new, actor=f"writer {factor}")

    writers = [Thread(target=add, args=(factor,)) for factor in range(1, 9)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with Session(iron) as session:
        revisions = session.scalars(select(SpectrumRecord.revision)).all()
        assert sorted(revisions) == list(range(1, 9))
        assert session.scalar(select(func.count()).select_from(RetirementRecord)) == 7


# -- large libraries -----------------------------------------------------------------------------

FILL = """
INSERT INTO library_spectrum (id, library_id, name, revision, compound, element, edge, energy, mu,
                              digest, added_by)
SELECT gen_random_uuid(), :library, 'spectrum ' || n, 1, 'compound ' || md5(n::text),
       (ARRAY['Fe', 'Cu', 'Zn', 'Au', 'Mn'])[n % 5 + 1], (ARRAY['K', 'L3'])[n / 5 % 2 + 1],
       ARRAY(SELECT 7000.0 + i FROM generate_series(1, 10) i),
       ARRAY(SELECT random() FROM generate_series(1, 10) i), '', 'ada'
FROM generate_series(1, 10000) n
"""
PAGE = "ORDER BY id DESC LIMIT 50"
QUESTIONS = {
    "newest": f"library_id = :library {PAGE}",
    "of an edge": f"library_id = :library AND element = 'Fe' AND edge = 'K' {PAGE}",
    "by text": f"library_id = :library AND search_text LIKE '%a1b2c%' {PAGE}",
    "by name": "library_id = :library AND name = 'spectrum 77' ORDER BY revision DESC LIMIT 1",
}


def test_a_large_library_is_asked_by_its_indexes(iron: Engine, owner_engine: Engine) -> None:
    with Session(iron) as session, session.begin():
        iron_id = {"library": library.find(session, "iron").id}
        session.execute(text(FILL), iron_id)
    with owner_engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE library_spectrum"))
        for name, condition in QUESTIONS.items():
            question = f"EXPLAIN SELECT * FROM library_spectrum WHERE {condition}"  # noqa: S608
            plan = "\n".join(connection.scalars(text(question), iron_id))
            assert "Seq Scan" not in plan, f"{name}: {plan}"
    with Session(iron) as session:
        page = library.list_spectra(session, "iron", SpectrumFilter(element="Fe", edge="K"))
        assert len(page.items) == 50
        assert page.next_cursor is not None
        assert [each.spectra for each in library.list_libraries(session)] == [10_000]
