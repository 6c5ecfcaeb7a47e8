"""A lineage as a tree in the terminal."""

from io import StringIO
from uuid import UUID, uuid4

from rich.console import Console

from catalog.queries import Lineage, LineageEdge, LineageNode
from infra.commands.lineage_tree import tree

SCAN, FLATS, RUN, RESULT = (uuid4() for _ in range(4))


def node(key: UUID, name: str, kind: str = "raw", **more: str) -> LineageNode:
    return LineageNode(
        id=key, name=name, kind=kind, state="validated", **{"type": "dataset", **more}
    )


def drawn(found: Lineage) -> str:
    console = Console(width=140, record=True, file=StringIO())
    console.print(tree(found))
    return console.export_text()


def test_both_directions() -> None:
    nodes = [
        node(SCAN, "tooth"),
        node(FLATS, "flats", "calibration"),
        node(RUN, "run v001", "ct-reduction", type="run"),
        node(RESULT, "tooth v001", "derived", verdict="check"),
    ]
    edges = [
        LineageEdge(source=SCAN, target=RUN, role="raw"),
        LineageEdge(source=FLATS, target=RUN, role="flat"),
        LineageEdge(source=FLATS, target=RUN, role="dark"),
        LineageEdge(source=RUN, target=RESULT, role="result"),
    ]
    text = drawn(Lineage(dataset_id=RESULT, nodes=nodes, edges=edges))
    assert "comes from" in text
    assert "became" not in text
    assert text.index("tooth v001") < text.index("run v001") < text.index("flats")
    assert "flat, dark" in text
    assert "check" in text
    text = drawn(Lineage(dataset_id=SCAN, nodes=nodes, edges=edges, truncated=True))
    assert text.index("became") < text.index("run v001") < text.index("tooth v001")
    assert "There is more" in text


def test_a_dataset_alone() -> None:
    text = drawn(Lineage(dataset_id=SCAN, nodes=[node(SCAN, "tooth")], edges=[]))
    assert "nothing was made of it yet" in text
