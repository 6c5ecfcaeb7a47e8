"""Who else sees a dataset: changes are events, verdicts gate them, embargoes end by themselves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from catalog import verdicts
from catalog.access import EVERYTHING, Viewer, visibility
from catalog.access.embargo import Released, release_due
from catalog.access.visibility import Visibility
from catalog.errors import CatalogError, Forbidden, IllegalMove, NotFound
from catalog.models import Dataset, LifecycleEvent
from catalog.states import Role, Verdict

# the fixtures `engine`, `sight`, `claim_of` and `finish` stand in conftest.py
AGO = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def scan(sight: Callable) -> UUID:
    return sight(proposal="2026-1").dataset_id


@pytest.fixture
def reduced(scan: UUID, claim_of: Callable, finish: Callable) -> Callable[[str], UUID]:
    """Reduce the scan, with a verdict."""

    def reduce(verdict: str) -> UUID:
        return finish(claim_of(scan), verdict=verdict)

    return reduce


def change(engine: Engine, dataset: UUID, to: str, viewer: Viewer = EVERYTHING, **more: object):
    with Session(engine) as session, session.begin():
        return visibility.change(
            session, viewer, dataset, Visibility(to), reason="the paper is out", **more
        )


def seen(engine: Engine, dataset: UUID) -> tuple[str, datetime | None]:
    with Session(engine) as session:
        row = session.get_one(Dataset, dataset)
        return row.visibility, row.embargo_until


def events(engine: Engine, dataset: UUID, name: str = "visibility") -> list[LifecycleEvent]:
    statement = select(LifecycleEvent).where(
        LifecycleEvent.dataset_id == dataset, LifecycleEvent.event == name
    )
    with Session(engine) as session:
        return list(session.scalars(statement.order_by(LifecycleEvent.id)))


def release(engine: Engine) -> Released:
    with Session(engine) as session, session.begin():
        return release_due(session)


def test_a_change_is_an_event_with_before_and_after(engine: Engine, scan: UUID) -> None:
    change(engine, scan, "public")
    assert seen(engine, scan) == ("public", None)
    event = events(engine, scan)[0]
    assert (event.actor, event.reason) == ("platform", "the paper is out")
    assert event.details == {"from": "embargoed", "from_until": None, "to": "public", "until": None}


@pytest.mark.parametrize("change", ["visibility = 'public'", "embargo_until = now()"])
def test_the_database_refuses_a_change_without_an_event(
    engine: Engine, owner_engine: Engine, scan: UUID, change: str
) -> None:
    for each in (engine, owner_engine):
        with each.begin() as connection, pytest.raises(IntegrityError, match="event alone"):
            connection.execute(text(f"UPDATE dataset SET {change}"))  # noqa: S608


def test_a_word_that_is_no_visibility_is_refused(engine: Engine, scan: UUID) -> None:
    statement = text(
        "INSERT INTO lifecycle_event (id, dataset_id, event, actor, details) "
        "VALUES (gen_random_uuid(), :dataset, 'visibility', 'me', '{\"to\": \"secret\"}')"
    )
    with engine.begin() as connection, pytest.raises(IntegrityError, match="visibility"):
        connection.execute(statement, {"dataset": scan})


@pytest.mark.parametrize("verdict", ["check", "bad"])
def test_a_doubtful_result_is_not_published(
    engine: Engine, reduced: Callable, verdict: str
) -> None:
    result = reduced(verdict)
    with pytest.raises(IllegalMove, match="overruled"):
        change(engine, result, "public")
    assert seen(engine, result)[0] == "embargoed"
    with Session(engine) as session, session.begin():
        verdicts.overrule(session, EVERYTHING, result, Verdict.OK, reason="looked at it")
    change(engine, result, "public")
    assert seen(engine, result)[0] == "public"


def test_publishing_a_scan_names_the_results_that_stay_back(
    engine: Engine, scan: UUID, reduced: Callable
) -> None:
    result = reduced("check")
    changes = change(engine, scan, "public", with_results=True)
    assert [each.visibility for each in changes] == ["public", "embargoed"]
    assert changes[1].dataset_id == result
    assert "check" in (changes[1].refused or "")


def test_proprietary_data_are_never_published(engine: Engine, scan: UUID) -> None:
    change(engine, scan, "proprietary")
    with pytest.raises(IllegalMove, match="proprietary"):
        change(engine, scan, "public")


def test_only_an_embargo_has_an_end(engine: Engine, scan: UUID) -> None:
    with pytest.raises(CatalogError, match="embargo"):
        change(engine, scan, "public", until=AGO)


def test_a_team_publishes_and_the_staff_takes_back(engine: Engine, scan: UUID) -> None:
    with Session(engine) as session:
        proposal = session.get_one(Dataset, scan).proposal_id
    assert proposal is not None
    member = Viewer("li", Role.USER, {proposal: "write"})
    reader = Viewer("wu", Role.USER, {proposal: "read"})
    with pytest.raises(Forbidden):
        change(engine, scan, "public", reader)
    with pytest.raises(NotFound):
        change(engine, scan, "public", Viewer("stranger", Role.USER))
    with pytest.raises(Forbidden, match="staff"):
        change(engine, scan, "proprietary", member)
    change(engine, scan, "public", member)
    assert events(engine, scan)[0].actor == "li"
    with pytest.raises(Forbidden, match="staff"):
        change(engine, scan, "embargoed", member)


# -- the end of an embargo ---------------------------------------------------------------------


def test_an_embargo_ends_by_itself(engine: Engine, scan: UUID, sight: Callable) -> None:
    later = sight("later").dataset_id
    change(engine, scan, "embargoed", until=AGO)
    change(engine, later, "embargoed", until=AGO + timedelta(days=1))
    assert release(engine) == Released(published=1, held_back=0)
    assert seen(engine, scan)[0] == "public"
    assert seen(engine, later)[0] == "embargoed"
    assert events(engine, scan)[-1].actor == "embargo"
    assert release(engine) == Released(0, 0)


def test_a_doubtful_result_waits_for_a_person(
    engine: Engine, scan: UUID, reduced: Callable
) -> None:
    result = reduced("check")
    change(engine, scan, "embargoed", until=AGO, with_results=True)
    assert release(engine) == Released(published=1, held_back=1)
    assert release(engine) == Released(0, 0), "it is told once"
    assert "dayseye verdict" in (events(engine, result, "publication_held")[0].reason or "")
    with Session(engine) as session, session.begin():
        verdicts.overrule(session, EVERYTHING, result, Verdict.OK, reason="looked at it")
    assert release(engine) == Released(published=1, held_back=0)


def test_new_results_of_public_data_follow(engine: Engine, scan: UUID, reduced: Callable) -> None:
    change(engine, scan, "public")
    result = reduced("ok")
    assert seen(engine, result)[0] == "embargoed", "until its verdict is known"
    assert release(engine).published == 1
    assert seen(engine, result)[0] == "public"


def test_the_beamline_says_how_long_new_data_are_embargoed(
    engine: Engine, sight: Callable, claim_of: Callable, finish: Callable
) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE beamline SET embargo = interval '3 years'"))
    scan = sight("young").dataset_id
    end = seen(engine, scan)[1]
    assert end is not None
    assert timedelta(days=1094) < end - datetime.now(UTC) < timedelta(days=1097)
    assert seen(engine, finish(claim_of(scan)))[1] == end


# -- verdicts ----------------------------------------------------------------------------------


def test_a_person_overrules_and_both_stay(engine: Engine, reduced: Callable) -> None:
    result = reduced("check")
    with Session(engine) as session, session.begin():
        verdicts.overrule(session, EVERYTHING, result, Verdict.BAD, reason="streaks", actor="li")
    with Session(engine) as session:
        newest, first = verdicts.verdicts(session, result)
        assert session.get_one(Dataset, result).verdict == "bad"
    assert (newest.verdict, newest.reasons, newest.overrules) == ("bad", ["streaks"], True)
    assert (first.verdict, first.overrules) == ("check", False)
    event = events(engine, result, "verdict_overruled")[0]
    assert event.details == {"before": "check", "after": "bad"}
    assert (event.actor, event.reason) == ("li", "streaks")


def test_a_scan_has_no_verdict_to_overrule(engine: Engine, scan: UUID) -> None:
    with (
        Session(engine) as session,
        session.begin(),
        pytest.raises(CatalogError, match="verdicts are on results"),
    ):
        verdicts.overrule(session, EVERYTHING, scan, Verdict.OK, reason="because")
