"""What a reduction came to: merged data, what they say of the crystal, and all of it together."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flows.mx.types import Doubts, Integrated, Opened, Placed, Spotted
from tasks.mx.free_set import FreeSet
from tasks.mx.french_wilson import Amplitudes
from tasks.mx.laue import LaueResult
from tasks.mx.merge import Merged
from tasks.mx.merging_statistics import Statistics
from tasks.mx.observations_file import SweepObservations
from tasks.mx.resolution_cut import Cut
from tasks.mx.scale import Scaled
from tasks.mx.screw_axes import ScrewResult
from tasks.mx.structure.result import StructureResult
from tasks.mx.table_one import TableOne


@dataclass(frozen=True)
class Symmetry:
    """The symmetry of the intensities, and the axes that go with it.

    Attributes
    ----------
    laue : LaueResult or None
        Scores of operators and groups; None where the space group was given.
    screws : ScrewResult or None
        Scores of screw axes.
    space_group : str
        Hermann-Mauguin symbol; of those that intensities cannot tell apart, the first.
    candidates : tuple of str
        All space groups that remain.
    undetermined : bool
        Whether the data leave more than enantiomorphs.
    sentence : str
        For the user.
    """

    laue: LaueResult | None
    screws: ScrewResult | None
    space_group: str
    candidates: tuple[str, ...]
    undetermined: bool
    sentence: str


@dataclass(frozen=True)
class Reduced:
    """Scaled and merged intensities of one or several sweeps.

    Attributes
    ----------
    symmetry : Symmetry
        Of the crystal.
    scaled : Scaled
        All observations.
    merged : Merged
        To the resolution of the cut.
    cut : Cut
        Where the data end, and by which rule.
    statistics : Statistics
        Of all data, not cut.
    table : TableOne
        Of the data to the cut.
    amplitudes : Amplitudes
        French and Wilson's, of the merged intensities.
    free : FreeSet
        Which reflections are left out of refinement.
    figures : mapping
        What intensity statistics say, as plain numbers.
    doubts : dict
        Sentences by rule.
    """

    symmetry: Symmetry
    scaled: Scaled
    merged: Merged
    cut: Cut
    statistics: Statistics
    table: TableOne
    amplitudes: Amplitudes
    free: FreeSet
    figures: Mapping[str, float | str | None] = field(default_factory=dict[str, float | str | None])
    doubts: Doubts = field(default_factory=Doubts)


def observed(
    placed: Placed | None, integrated: Integrated | None, name: str
) -> SweepObservations | None:
    """Return the observations of a sweep with its crystal; None where there are none."""
    if placed is None or placed.refined is None:
        return None
    if integrated is None or integrated.observations is None:
        return None
    refined = placed.refined
    geometry = refined.geometry
    return SweepObservations(
        observations=integrated.observations,
        crystal=refined.crystal,
        rotation=geometry.rotation,
        wavelength=geometry.beam.wavelength,
        name=name,
    )


@dataclass(frozen=True)
class Solved:
    """A structure, or why there is none.

    Attributes
    ----------
    structure : StructureResult or None
        Model, maps and blobs.
    ends_at : str
        Why there is none.
    doubts : dict
        Sentences by rule.
    """

    structure: StructureResult | None = None
    ends_at: str = ""
    doubts: Doubts = field(default_factory=Doubts)


@dataclass(frozen=True)
class Result:
    """Everything that a run found; what comes after its end is None."""

    opened: Opened
    spotted: Spotted
    placed: Placed | None
    integrated: Integrated | None
    reduced: Reduced | None
    solved: Solved | None

    @property
    def ends_at(self) -> str:
        """Why there are no merged data; empty where there are."""
        parts = (self.spotted, self.placed, self.integrated)
        return next((each.ends_at for each in parts if each is not None and each.ends_at), "")

    def observed(self, name: str) -> SweepObservations | None:
        """Return what scaling started from, under the sweep's name; None where there is none."""
        return observed(self.placed, self.integrated, name)

    @property
    def doubts(self) -> Doubts:
        """All sentences, by rule."""
        joined: Doubts = {}
        parts = (self.opened, self.spotted, self.placed, self.integrated, self.reduced, self.solved)
        for part in parts:
            for rule, sentences in part.doubts.items() if part is not None else ():
                joined[rule] = (*joined.get(rule, ()), *sentences)
        return joined
