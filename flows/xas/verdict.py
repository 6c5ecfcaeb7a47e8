"""What an XAS result is judged by."""

from collections.abc import Callable, Sequence

from flows.verdict import Judgement, Rule, judge
from flows.xas.types import Result


def _doubts(rule: str) -> Callable[[Result], Sequence[str]]:
    return lambda result: result.doubts.get(rule, ())


# whoever changes what a rule says changes the version
VERSION = "xas/1"
ABOUT = {
    "element": "the data and the spectrum name the same element and edge",
    "reading": "the file says what its columns are, and nothing had to be mended or left out",
    "energy": "the foil, if there is one, is what it is said to be, and no sweep is far off",
    "sweeps": "no sweeps had to be left out, and all points are numbers",
    "range": "there is enough before and after the edge to normalise, and no hole about it",
    "edge-step": "the edge step is positive, well above its uncertainty, and not saturated",
    "combination": "the standards describe the spectra within their noise",
}
RULES: tuple[Rule[Result], ...] = tuple(
    Rule(name, about, _doubts(name)) for name, about in ABOUT.items()
)


def judgement(result: Result) -> Judgement:
    """Judge a result: *check* where anything is uncertain or was amiss."""
    return judge(RULES, VERSION, result, summary(result))


def summary(result: Result) -> str:
    """Say in one line what was found."""
    opened, spectrum = result.opened, result.spectrum
    count = len(result.sweeps.kept)
    parts = [
        f"{opened.element} {opened.edge} edge at {spectrum.e0:.2f} eV, edge step "
        f"{spectrum.edge_step:.4g}, {count} sweep{'s' if count != 1 else ''}"
    ]
    composition, match = result.interpreted.composition, result.interpreted.match
    if composition is not None:
        ranked = sorted(zip(composition.fractions, composition.names, strict=True), reverse=True)
        parts.append(", ".join(f"{value:.0%} {name}" for value, name in ranked if value > 0.005))
    said = "; ".join(parts) + "."
    return said if match is None else f"{said} {match.sentence}"
