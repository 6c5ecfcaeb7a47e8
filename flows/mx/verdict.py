"""What a crystallography result is judged by."""

from collections.abc import Callable, Sequence

from flows.mx.found import Reduced, Result, Solved
from flows.verdict import Judgement, Rule, judge


def _doubts(rule: str) -> Callable[[Result], Sequence[str]]:
    return lambda result: result.doubts.get(rule, ())


def _end(result: Result) -> Sequence[str]:
    stills = result.placed.stills if result.placed is not None else None
    is_map = result.spotted.grid is not None or (stills is not None and stills.indexed)
    return (result.ends_at,) if result.ends_at and not is_map else ()


# whoever changes what a rule says changes the version
VERSION = "mx/1"
ABOUT = {
    "reading": "the files say what they hold, and nothing had to be assumed",
    "images": "all images are there, with beam, and few are overloaded",
    "ice": "there is no ice",
    "indexing": "most spots belong to one lattice and lie where it predicts them",
    "integration": "most reflections have an intensity that counts",
    "symmetry": "the data decide on the space group",
    "completeness": "enough of the unique reflections were measured",
    "scaling": "few observations are outliers, and all sweeps are connected",
    "intensities": "no sign of twinning, pseudo-translation or radiation damage",
    "resolution": "the data end where they fade, not where the detector ends",
    "structure": "a model was found where one was asked for, and its R factors are fair",
}
RULES: tuple[Rule[Result], ...] = (
    Rule(
        "merged data",
        "the reduction came to merged data (of a grid: to a map, of stills: to orientations)",
        _end,
        "bad",
    ),
    *(Rule(name, about, _doubts(name)) for name, about in ABOUT.items()),
)


def judgement(result: Result) -> Judgement:
    """Judge a result: *bad* without merged data, *check* where anything is uncertain."""
    return judge(RULES, VERSION, result, summary(result))


def summary(result: Result) -> str:
    """Say in one line what was found."""
    if result.reduced is None:
        return f"{len(result.spotted.spots)} spots. {result.ends_at}".strip()
    return f"{merged_summary(result.reduced, result.solved)}."


def merged_summary(reduced: Reduced, solved: Solved | None) -> str:
    """Say what merged data, and a structure, came to; without a full stop."""
    overall = reduced.table.statistics.overall
    cell = " ".join(f"{each:.2f}" for each in reduced.merged.cell)
    said = (
        f"{reduced.symmetry.space_group}, {cell}, to {reduced.cut.d_min:.2f} Å, "
        f"Rmeas {overall.r_meas:.3f}, CC1/2 {overall.cc_half:.3f}, "
        f"{100 * overall.completeness:.1f} % complete"
    )
    if solved is not None and solved.structure is not None:
        found = solved.structure
        said += f"; R {found.r_work:.3f}, Rfree {found.r_free:.3f}"
    return said
