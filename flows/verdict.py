"""Verdicts by named rules: each technique has its own, with a version that the result keeps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Subject = TypeVar("Subject")
Word = Literal["ok", "check", "bad"]
_SEVERITY: dict[Word, int] = {"ok": 0, "check": 1, "bad": 2}


@dataclass(frozen=True)
class Rule(Generic[Subject]):
    """One thing that a result is judged by.

    Attributes
    ----------
    name : str
        It stays with the verdict; a rule that judges otherwise gets a new version of all rules.
    about : str
        What it looks at, for the documentation.
    doubts : callable
        Returns a sentence for the user for each doubt, or nothing.
    verdict : str
        What a doubt makes of the result.
    """

    name: str
    about: str
    doubts: Callable[[Subject], Sequence[str]]
    verdict: Word = "check"


@dataclass(frozen=True)
class Judgement:
    """What the rules say of a result.

    Attributes
    ----------
    verdict : str
        The worst that a rule says.
    doubts : tuple of (str, str)
        Rule and sentence.
    rules_version : str
        Of the technique's rules, as ``ct/1``.
    summary : str
        What is said where there is no doubt.
    """

    verdict: Word
    doubts: tuple[tuple[str, str], ...]
    rules_version: str
    summary: str

    @property
    def sentences(self) -> list[str]:
        """The reasons as sentences for the user."""
        return [sentence for _, sentence in self.doubts] or [self.summary]

    @property
    def reasons(self) -> list[dict[str, str] | str]:
        """The reasons as the catalogue keeps them, each with its rule."""
        kept = [{"rule": rule, "reason": sentence} for rule, sentence in self.doubts]
        return [*kept] if kept else [self.summary]


def judge(
    rules: Sequence[Rule[Subject]], version: str, subject: Subject, summary: str
) -> Judgement:
    """Ask each rule, in their order."""
    doubts: list[tuple[str, str]] = []
    worst: Word = "ok"
    for rule in rules:
        found = rule.doubts(subject)
        doubts += [(rule.name, sentence) for sentence in found]
        if found and _SEVERITY[rule.verdict] > _SEVERITY[worst]:
            worst = rule.verdict
    return Judgement(worst, tuple(doubts), version, summary)
