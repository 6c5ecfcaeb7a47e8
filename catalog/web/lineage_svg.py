"""Draw a lineage: datasets and runs in columns, what came first on the left."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from catalog.queries import Lineage, LineageEdge, LineageNode

WIDTH, HEIGHT = 200, 50  # px, of a box
GAP_X, GAP_Y = 96, 18
MARGIN = 4
NAME_UNITS = 21  # as many narrow characters fit into a box


@dataclass(frozen=True)
class Box:
    """A node in its place."""

    node: LineageNode
    x: int
    y: int
    label: str


@dataclass(frozen=True)
class Arrow:
    """An edge in its place, with its role beside the dataset's end."""

    path: str
    role: str
    role_x: int
    role_y: int
    anchor: str


@dataclass(frozen=True)
class Drawing:
    """Everything that the template needs."""

    width: int
    height: int
    boxes: list[Box]
    arrows: list[Arrow]


def draw(lineage: Lineage) -> Drawing:
    """Place the nodes of a lineage and route its edges."""
    columns = _columns(lineage)
    tallest = max(map(len, columns), default=0)
    boxes: dict[UUID, Box] = {}
    for column, nodes in enumerate(columns):
        offset = (tallest - len(nodes)) * (HEIGHT + GAP_Y) // 2
        for row, node in enumerate(nodes):
            x = MARGIN + column * (WIDTH + GAP_X)
            y = MARGIN + offset + row * (HEIGHT + GAP_Y)
            boxes[node.id] = Box(node, x, y, shorten(node.name))
    arrows = [
        _arrow(boxes[source], boxes[target], roles)
        for (source, target), roles in _roles(lineage.edges).items()
    ]
    return Drawing(
        width=len(columns) * (WIDTH + GAP_X) - GAP_X + 2 * MARGIN,
        height=tallest * (HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN,
        boxes=list(boxes.values()),
        arrows=arrows,
    )


def shorten(name: str, units: int = NAME_UNITS) -> str:
    """Cut a name to what fits; a wide character (Chinese) takes two units."""
    used = 0
    for index, character in enumerate(name):
        used += 1 if ord(character) < 0x1100 else 2
        if used > units:
            return name[: max(index - 1, 1)] + "…"
    return name


def _roles(edges: list[LineageEdge]) -> dict[tuple[UUID, UUID], str]:
    """Return the roles of each pair: one dataset may serve a run as flat and as dark."""
    roles: dict[tuple[UUID, UUID], str] = {}
    for edge in edges:
        pair = (edge.source, edge.target)
        roles[pair] = f"{roles[pair]}, {edge.role}" if pair in roles else edge.role
    return roles


def _columns(lineage: Lineage) -> list[list[LineageNode]]:
    depths = _depths(lineage)
    columns: list[list[LineageNode]] = [[] for _ in range(max(depths.values(), default=-1) + 1)]
    for node in lineage.nodes:
        columns[depths[node.id]].append(node)
    _untangle(columns, lineage.edges)
    return columns


def _depths(lineage: Lineage) -> dict[UUID, int]:
    """Return the longest way from a source to each node; the lineage has no cycles."""
    sources: dict[UUID, list[UUID]] = defaultdict(list)
    for edge in lineage.edges:
        sources[edge.target].append(edge.source)
    depths = {node.id: 0 for node in lineage.nodes}
    for _ in lineage.nodes:
        deeper = {
            key: max((depths[source] + 1 for source in sources[key]), default=0) for key in depths
        }
        if deeper == depths:
            break
        depths = deeper
    return depths


def _untangle(columns: list[list[LineageNode]], edges: list[LineageEdge]) -> None:
    """Sort each column by the mean row of what leads to it, so that few edges cross."""
    rows = {node.id: row for column in columns for row, node in enumerate(column)}
    for column in columns[1:]:
        means = {
            node.id: _mean([rows[edge.source] for edge in edges if edge.target == node.id])
            for node in column
        }
        column.sort(key=lambda node: means[node.id])
        rows.update({node.id: row for row, node in enumerate(column)})


def _mean(rows: list[int]) -> float:
    return sum(rows) / len(rows) if rows else 0.0


def _arrow(source: Box, target: Box, role: str) -> Arrow:
    x0, y0 = source.x + WIDTH, source.y + HEIGHT // 2
    x1, y1 = target.x - 7, target.y + HEIGHT // 2
    bend = (x0 + x1) // 2
    is_input = source.node.type == "dataset"
    return Arrow(
        path=f"M{x0} {y0} C{bend} {y0} {bend} {y1} {x1} {y1}",
        role=role,
        role_x=x0 + 8 if is_input else x1 - 4,
        role_y=(y0 if is_input else y1) - 6,
        anchor="start" if is_input else "end",
    )
