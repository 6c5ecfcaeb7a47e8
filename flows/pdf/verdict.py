"""What a total-scattering result is judged by."""

from collections.abc import Callable, Sequence

from flows.pdf.found import Result
from flows.verdict import Judgement, Rule, judge


def _doubts(rule: str) -> Callable[[Result], Sequence[str]]:
    return lambda result: result.doubts.get(rule, ())


# whoever changes what a rule says changes the version
VERSION = "pdf/1"
ABOUT = {
    "reading": "the file says what it holds, and nothing had to be assumed",
    "geometry": "geometry, wavelength and detector agree with what the data say",
    "mask": "no more pixels are left out than a beam stop and a few bad ones take",
    "frames": "no frames had to be left out",
    "background": "a background was measured, and its scale is right",
    "composition": "the composition is known, so that there is a G(r)",
    "transform": "the curves behave as they must: at high Q, and at low r",
    "structure": "the structures that are fitted describe G(r)",
}
RULES: tuple[Rule[Result], ...] = tuple(
    Rule(name, about, _doubts(name)) for name, about in ABOUT.items()
)


def judgement(result: Result) -> Judgement:
    """Judge a result: *check* where anything is uncertain or was amiss."""
    return judge(RULES, VERSION, result, summary(result))


def summary(result: Result) -> str:
    """Say in one line what was found."""
    corrected, curves = result.corrected, result.transformed.first
    count = len(corrected.frames)
    low, high = corrected.q_range
    said = [f"{count} frame{'s' if count != 1 else ''}, Q {low:.2f} to {high:.2f} 1/Å"]
    if curves is None:
        said.append(f"ends at I(Q): {result.transformed.ends_at}")
    else:
        said.append(
            f"G(r) of {result.opened.sample.formula}, Q from {curves.qmin:.2f} to "
            f"{curves.qmax:.2f} 1/Å"
        )
    said += [f"{' + '.join(fit.structures)} Rw {fit.rw:.3f}" for fit in result.interpreted.fits]
    return "; ".join(said) + "."
