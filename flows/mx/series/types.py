"""What the stages of the flow that merges sweeps hand to one another."""

from dataclasses import dataclass, field

from flows.mx.found import Reduced, Solved
from flows.mx.types import Doubts, Known
from tasks.mx.observations_file import SweepObservations


@dataclass(frozen=True)
class Members:
    """The sweeps that can be merged, in one setting and indexed alike.

    Attributes
    ----------
    sweeps : tuple of SweepObservations
        Their numbers in the column ``sweep`` are their places here.
    left_out : mapping of str to str
        Sweeps that cannot, and why.
    known : Known
        Of the crystal.
    wavelength : float
        Å.
    doubts : dict
        Sentences by rule.
    """

    sweeps: tuple[SweepObservations, ...]
    left_out: dict[str, str]
    known: Known
    wavelength: float
    doubts: Doubts = field(default_factory=Doubts)


@dataclass(frozen=True)
class Result:
    """Everything that a run found."""

    members: Members
    reduced: Reduced
    solved: Solved | None

    @property
    def doubts(self) -> Doubts:
        """All sentences, by rule."""
        joined: Doubts = {}
        for part in (self.members, self.reduced, self.solved):
            for rule, sentences in part.doubts.items() if part is not None else ():
                joined[rule] = (*joined.get(rule, ()), *sentences)
        return joined
