"""Sequences of models, and how much they have in common."""

from __future__ import annotations

from typing import Any

from tasks.errors import DataError

_LETTERS = set("ABCDEFGHIKLMNOPQRSTUVWXYZ")


def clean_sequence(text: str) -> str:
    """
    Return the letters of a sequence, from FASTA or however it was typed.

    Raises
    ------
    DataError
        It has signs that are no residues.
    """
    lines = [line for line in text.splitlines() if not line.startswith((">", ";"))]
    letters = "".join("".join(lines).split()).upper().rstrip("*")
    if strange := sorted(set(letters) - _LETTERS):
        raise DataError(
            f"The sequence holds {' '.join(strange)}, which are no residues: give the one-letter "
            "code, as plain text or FASTA."
        )
    return letters


def sequences_of(model: Any) -> tuple[str, ...]:
    """Return the one-letter sequence of each chain's polymer; gaps are left out."""
    found: list[str] = []
    for chain in model:
        letters = chain.get_polymer().make_one_letter_sequence().replace("-", "")
        if len(letters) > 1:
            found.append(letters)
    return tuple(found)


def identity(first: str, second: str) -> float:
    """Return the fraction of the shorter sequence that is the same in the other, aligned."""
    import gemmi

    shorter = min(len(first), len(second))
    if not shorter:
        return 0.0
    aligned = gemmi.align_string_sequences(list(first), list(second), [])
    return float(aligned.match_count) / shorter
