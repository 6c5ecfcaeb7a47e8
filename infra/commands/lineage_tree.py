"""A lineage as a tree: what a dataset was made from above it, what was made of it below."""

from collections import defaultdict
from uuid import UUID

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from catalog.queries import Lineage, LineageNode

# a node and the role of the edge that led to it
Steps = dict[UUID, list[tuple[UUID, str]]]


def tree(found: Lineage) -> RenderableType:
    """Return two trees from the dataset, one for each direction; a node is unfolded once."""
    nodes = {node.id: node for node in found.nodes}
    before: Steps = defaultdict(list)
    after: Steps = defaultdict(list)
    for edge in found.edges:
        before[edge.target].append((edge.source, edge.role))
        after[edge.source].append((edge.target, edge.role))
    parts: list[RenderableType] = []
    for title, steps in (("comes from", before), ("became", after)):
        root = Tree(Text.assemble((f"{title}  ", "dim"), _label(nodes[found.dataset_id])))
        _unfold(root, found.dataset_id, steps, nodes, set())
        if root.children:
            parts.append(root)
    if not parts:
        parts.append(Text.assemble(_label(nodes[found.dataset_id]), "  nothing was made of it yet"))
    if found.truncated:
        words = "There is more: only the newest runs, and fifty of what went into each, are shown."
        parts.append(Text(words, style="dim"))
    return Group(*parts)


def _unfold(
    branch: Tree, key: UUID, steps: Steps, nodes: dict[UUID, LineageNode], seen: set[UUID]
) -> None:
    for other, roles in _grouped(steps[key]):
        label = Text.assemble((f"{roles}  ", "dim"), _label(nodes[other]))
        if other in seen:
            branch.add(Text.assemble(label, ("  see above", "dim")))
            continue
        seen.add(other)
        _unfold(branch.add(label), other, steps, nodes, seen)


def _grouped(edges: list[tuple[UUID, str]]) -> list[tuple[UUID, str]]:
    """Put the roles of each neighbour together: one dataset may serve as flat and as dark."""
    roles: dict[UUID, list[str]] = defaultdict(list)
    for other, role in edges:
        roles[other].append(role)
    return [(other, ", ".join(each)) for other, each in roles.items()]


def _label(node: LineageNode) -> Text:
    style = {"ok": "green", "check": "yellow", "bad": "red"}.get(node.verdict or "", "")
    name = f"{node.kind} {node.name}" if node.type == "run" else node.name
    words = [node.kind] if node.type == "dataset" else []
    words += [node.state, *([node.verdict] if node.verdict else [])]
    return Text.assemble((name, f"bold {style}"), f"  {', '.join(words)}", (f"  {node.id}", "dim"))
