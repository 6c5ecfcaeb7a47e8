import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog import people
from catalog.errors import CatalogError, NotFound
from catalog.models import Dataset, LifecycleEvent, Proposal, Sample, Visit

WHO = {"actor": "cli:ada", "reason": "it was not known"}


@pytest.fixture
def tooth(engine, sight, claim_of, finish):
    """A scan of nobody, with a result."""
    recorded = sight(sample="molar")
    finish(claim_of(recorded.dataset_id))
    return recorded.dataset_id


def whose(session, dataset_id):
    dataset = session.get_one(Dataset, dataset_id)
    names = [
        session.scalar(select(column).where(table.id == key))
        for table, column, key in (
            (Proposal, Proposal.code, dataset.proposal_id),
            (Visit, Visit.code, dataset.visit_id),
            (Sample, Sample.name, dataset.sample_id),
        )
    ]
    return tuple(names)


def events(session, event):
    rows = select(LifecycleEvent).where(LifecycleEvent.event == event).order_by(LifecycleEvent.id)
    return session.scalars(rows).all()


def test_an_assignment_takes_the_results_along(engine, tooth):
    with Session(engine) as session, session.begin():
        people.correct_sample(session, name="molar", proposal=None, fields={"density": 3}, **WHO)
        assigned = people.assign(session, tooth, proposal="p1", visit="2", **WHO)
        result = session.scalars(select(Dataset.id).where(Dataset.source_id == tooth)).one()
        assert whose(session, tooth) == whose(session, result) == ("p1", "2", "molar")
        assert assigned.before == {"proposal": None, "visit": None, "sample": "molar"}
        assert assigned.results == 1
        details = [each.details for each in events(session, "assigned")]
        assert details == [{"before": assigned.before, "after": assigned.after}] * 2
        sample = session.get_one(Sample, session.get_one(Dataset, tooth).sample_id)
        assert (sample.density, sample.proposal_id is None) == (3.0, False)


def test_another_proposal_makes_the_visit_unknown(engine, tooth):
    with Session(engine) as session, session.begin():
        people.assign(session, tooth, proposal="p1", visit="2", **WHO)
        people.assign(session, tooth, proposal="p2", sample="canine", **WHO)
        assert whose(session, tooth) == ("p2", None, "canine")
        people.assign(session, tooth, proposal="p2", sample="canine", **WHO)
        assert len(events(session, "assigned")) == 4


def test_what_a_person_assigned_stays(engine, tooth, sight):
    with Session(engine) as session, session.begin():
        people.assign(session, tooth, proposal="p1", **WHO)
    sight(sample="molar", proposal="p9")
    with Session(engine) as session:
        assert whose(session, tooth)[0] == "p1"


def test_what_cannot_be_assigned(engine, tooth):
    with Session(engine) as session:
        result = session.scalars(select(Dataset.id).where(Dataset.source_id == tooth)).one()
        with pytest.raises(CatalogError, match="is a result"):
            people.assign(session, result, proposal="p1", **WHO)
        with pytest.raises(CatalogError, match="Nothing is given"):
            people.assign(session, tooth, proposal=" ", **WHO)
        with pytest.raises(CatalogError, match="belongs to a proposal"):
            people.assign(session, tooth, visit="2", **WHO)


def test_a_correction_has_before_and_after(engine, tooth):
    with Session(engine) as session, session.begin():
        people.correct_sample(
            session, name="molar", proposal=None, fields={"formula": "SiO2"}, **WHO
        )
        change = people.correct_sample(
            session,
            name="molar",
            proposal=None,
            fields={"formula": "Ca5(PO4)3OH", "thickness": "2.5", "cell": "9.4 9.4 6.9 90 90 120"},
            new_name="molar 2",
            **WHO,
        )
        assert change.before == {
            "formula": "SiO2", "thickness": None, "cell": None, "name": "molar",
        }  # fmt: skip
        assert change.after["thickness"] == 2.5 and change.after["cell"]["gamma"] == 120
        assert change.datasets == 2  # the scan and its result
        assert events(session, "sample_corrected")[-1].details["after"] == change.after
        dataset = session.get_one(Dataset, tooth, populate_existing=True)
        assert "ca5(po4)3oh" in dataset.search_text


def test_many_samples_all_or_none(engine, tooth):
    rows = [
        {"sample": "molar", "density": "3.1", "formula": ""},
        {"sample": "molar", "density": "heavy"},
        {"density": 1},
        {"sample": "x", "proposal": "p9"},
    ]
    with Session(engine) as session, pytest.raises(CatalogError) as error, session.begin():
        people.correct_samples(session, rows, **WHO)
    words = str(error.value)
    assert "Row 2 (molar): density (in g/cm³) must be a number above 0, not 'heavy'." in words
    assert "Row 3 (without a name): it has no 'sample'" in words
    assert "Row 4 (x): No proposal 'p9'" in words
    with Session(engine) as session:
        assert session.scalars(select(Sample.density)).all() == [None]
    with Session(engine) as session:
        people.correct_samples(session, rows[:1], **WHO)
        assert session.scalars(select(Sample.density)).all() == [3.1]


@pytest.mark.parametrize("cell", ["1 2 3", [1, 2, 3, 90, 90, "x"], {"a": 1}, 5])
def test_cells_that_are_none(engine, tooth, cell):
    with Session(engine) as session, pytest.raises(CatalogError):
        people.correct_sample(session, name="molar", proposal=None, fields={"cell": cell}, **WHO)


def test_unknown_proposals_and_names_in_use(engine, tooth):
    with Session(engine) as session:
        with pytest.raises(NotFound):
            people.correct_sample(session, name="a", proposal="p9", fields={}, **WHO)
        people.correct_sample(session, name="b", proposal=None, fields={}, **WHO)
        with pytest.raises(CatalogError, match="called 'b' already"):
            people.correct_sample(
                session, name="molar", proposal=None, fields={}, new_name="b", **WHO
            )
