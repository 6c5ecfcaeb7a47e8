"""What ``dayseye library`` shows to people."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from rich.console import RenderableType
from rich.text import Text

from infra.commands.tables import moment, table


def libraries(found: Sequence[Any]) -> RenderableType:
    """Show libraries, one a line."""
    rows = [
        (
            each.name,
            str(each.spectra),
            " ".join(each.elements),
            each.proposal or "everybody",
            each.licence,
            each.description,
        )
        for each in found
    ]
    return table(("library", "spectra", "elements", "seen by", "licence", "description"), rows)


def spectra(found: Sequence[Any]) -> RenderableType:
    """Show spectra, one a line."""
    rows = [
        (
            each.library,
            each.name,
            f"{each.element} {each.edge}",
            each.compound,
            str(each.points),
            _range(each),
            each.origin,
            each.licence,
            f"retired {moment(each.retired_at)}" if each.retired_at else "",
        )
        for each in found
    ]
    columns = (
        "library", "name", "edge", "compound", "points", "range (eV)", "origin", "licence", "",
    )  # fmt: skip
    return table(columns, rows)


def one(found: Any) -> RenderableType:
    """Show what is known about a spectrum."""
    facts: dict[str, Any] = {
        "library": found.library,
        "name": f"{found.name}, revision {found.revision}",
        "id": found.id,
        "compound": found.compound,
        "formula": found.formula,
        "edge": f"{found.element} {found.edge}",
        "measured in": found.mode,
        "points": f"{found.points}, {_range(found)} eV",
        "edge energy": f"{found.e0:g} eV, as declared" if found.e0 else None,
        "origin": found.origin,
        "licence": found.licence,
        "file": f"{found.file_name} ({found.format})" if found.file_name else None,
        **{name.replace("_", " "): _fact(name, value) for name, value in found.metadata.items()},
        "digest": found.digest,
        "added": f"{moment(found.added_at)} by {found.added_by}",
    }
    if found.retired_at:
        who = f"{moment(found.retired_at)} by {found.retired_by}"
        facts["retired"] = f"{who}: {found.retired_reason}"
    shown = table(("", ""), [(name, str(value)) for name, value in facts.items() if value])
    shown.show_header = False
    return shown


@dataclass
class AddResult:
    """What became of spectra that were to be added: names or files, each with its sentence."""

    library: str
    is_new: bool = False
    done: list[Any] = field(default_factory=list[Any])
    doubts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    refused: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "library": self.library,
            "is_new": self.is_new,
            "added": [each.model_dump(mode="json") for each in self.done],
            "doubts": [{"name": name, "why": why} for name, why in self.doubts],
            "refused": [{"file": file, "why": why} for file, why in self.refused],
        }


def added(result: AddResult) -> list[RenderableType]:
    """Show what became of spectra, what is doubtful, and why some were refused."""
    name = result.library
    head = f"The library {name} is new; everybody sees it." if result.is_new else f"Library {name}"
    rows = [(each.name, str(each.revision), each.outcome, _kept(each)) for each in result.done]
    parts: list[RenderableType] = [Text(head), table(("name", "revision", "", ""), rows)]
    if result.doubts:
        parts.append(Text(f"{len(result.doubts)} to be looked at:"))
        parts += [Text(f"{spectrum}: {why}", style="yellow") for spectrum, why in result.doubts]
    if result.refused:
        parts.append(Text(f"{len(result.refused)} could not be added:"))
        parts += [Text(why, style="yellow") for _, why in result.refused]
    return parts


def _kept(each: Any) -> str:
    """Say which facts were not taken."""
    if not each.differs:
        return ""
    return f"keeps its {', '.join(each.differs)}: retire it and add it again to change that"


def _fact(name: str, value: Any) -> Any:
    """Say in words what the metadata tell."""
    if name != "foil" or not isinstance(value, dict):
        return value
    told = {key: str(each) for key, each in cast("dict[str, Any]", value).items()}
    what = " ".join(told[key] for key in ("element", "edge") if key in told)
    sigma = f" ± {told['sigma']}" if "sigma" in told else ""
    return f"{what} seen at {told.get('energy', 'no energy')}{sigma} eV"


def _range(found: Any) -> str:
    return f"{found.energy_min:.1f} to {found.energy_max:.1f}"
