"""The drawing of a lineage: columns by time, no box on another, names that fit."""

from itertools import combinations
from uuid import UUID

import pytest

from catalog.queries import Lineage, LineageEdge, LineageNode
from catalog.web.lineage_svg import HEIGHT, WIDTH, draw, shorten

SCAN, FLAT, FIRST, SECOND, OLD, NEW = (UUID(int=number) for number in range(1, 7))


def node(key: UUID, type_: str, name: str) -> LineageNode:
    return LineageNode(id=key, type=type_, kind="raw", name=name, state="validated")


@pytest.fixture
def lineage() -> Lineage:
    return Lineage(
        dataset_id=SCAN,
        nodes=[
            node(NEW, "dataset", "tooth v002"),
            node(SCAN, "dataset", "tooth"),
            node(FLAT, "dataset", "flats"),
            node(OLD, "dataset", "tooth v001"),
            node(SECOND, "run", "run v002"),
            node(FIRST, "run", "run v001"),
        ],
        edges=[
            LineageEdge(source=SCAN, target=FIRST, role="data"),
            LineageEdge(source=SCAN, target=SECOND, role="data"),
            LineageEdge(source=FLAT, target=FIRST, role="flat"),
            LineageEdge(source=FLAT, target=SECOND, role="flat"),
            LineageEdge(source=FIRST, target=OLD, role="result"),
            LineageEdge(source=SECOND, target=NEW, role="result"),
        ],
    )


def test_what_came_first_stands_on_the_left(lineage: Lineage) -> None:
    x = {box.node.id: box.x for box in draw(lineage).boxes}
    assert x[SCAN] == x[FLAT] < x[FIRST] == x[SECOND] < x[OLD] == x[NEW]


def test_no_box_covers_another_and_all_are_inside(lineage: Lineage) -> None:
    drawing = draw(lineage)
    for one, other in combinations(drawing.boxes, 2):
        assert abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT
    for box in drawing.boxes:
        assert 0 <= box.x <= drawing.width - WIDTH
        assert 0 <= box.y <= drawing.height - HEIGHT


def test_results_stand_in_the_order_of_their_runs(lineage: Lineage) -> None:
    y = {box.node.id: box.y for box in draw(lineage).boxes}
    assert (y[FIRST] < y[SECOND]) == (y[OLD] < y[NEW])


def test_every_edge_carries_its_role(lineage: Lineage) -> None:
    roles = [arrow.role for arrow in draw(lineage).arrows]
    assert sorted(roles) == ["data", "data", "flat", "flat", "result", "result"]


def test_one_dataset_in_two_roles_is_one_arrow(lineage: Lineage) -> None:
    dark = LineageEdge(source=FLAT, target=FIRST, role="dark")
    drawing = draw(lineage.model_copy(update={"edges": [*lineage.edges, dark]}))
    assert [arrow.role for arrow in drawing.arrows].count("flat, dark") == 1
    assert len(drawing.arrows) == 6


def test_a_dataset_without_runs_is_one_box() -> None:
    alone = Lineage(dataset_id=SCAN, nodes=[node(SCAN, "dataset", "tooth")], edges=[])
    drawing = draw(alone)
    assert [box.node.id for box in drawing.boxes] == [SCAN]
    assert drawing.width > WIDTH


@pytest.mark.parametrize(
    ("name", "expected"),
    [("tooth", "tooth"), ("a" * 40, "a" * 20 + "…"), ("牙" * 20, "牙" * 9 + "…")],
)
def test_long_names_are_cut_by_their_width(name: str, expected: str) -> None:
    assert shorten(name) == expected
