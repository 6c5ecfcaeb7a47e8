"""A spectrum that shall stand in a library: what is asked of it, and the digest of its numbers."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from catalog.errors import CatalogError

FEWEST, MOST = 10, 200_000  # points


class NewSpectrum(BaseModel):
    """A spectrum to be added: as it was measured, not normalised."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200, examples=["Fe2O3_rt_01"])
    compound: str = Field(min_length=1, max_length=200, examples=["hematite"])
    formula: str | None = Field(default=None, max_length=200, examples=["Fe2O3"])
    element: str = Field(pattern="^[A-Z][a-z]?$", examples=["Fe"])
    edge: str = Field(pattern="^[KLMNO][1-9]?$", examples=["K", "L3"])
    mode: Literal["transmission", "fluorescence"] | None = None
    origin: str = Field(
        default="", max_length=500, description="laboratory, beamline or source", examples=["APS"]
    )
    licence: str | None = Field(
        default=None, max_length=200, description="its library's if it is not given"
    )
    e0: FiniteFloat | None = Field(default=None, gt=0, description="edge energy as declared, eV")
    metadata: dict[str, Any] = Field(default={}, description="temperature and other facts")
    energy: list[FiniteFloat] = Field(
        min_length=FEWEST, max_length=MOST, description="eV, each above the one before"
    )
    mu: list[FiniteFloat] = Field(
        min_length=FEWEST, max_length=MOST, description="absorption at each energy, not normalised"
    )
    file_name: str = Field(default="", max_length=500, description="the file that it came from")
    format: str = Field(default="", max_length=100, examples=["xdi"])

    @model_validator(mode="after")
    def _one_value_at_each_energy(self) -> Self:
        if len(self.energy) != len(self.mu):
            raise ValueError(
                f"{self.name} has {len(self.energy)} energies and {len(self.mu)} values of mu: "
                "give one value for each energy"
            )
        if self.energy[0] <= 0 or any(after <= before for before, after in pairwise(self.energy)):
            raise ValueError(
                f"the energies of {self.name} do not increase from a value above 0: sort them, "
                "and merge points at one energy"
            )
        return self


def new_spectrum(**values: Any) -> NewSpectrum:
    """Make a spectrum that can be added.

    Raises
    ------
    CatalogError
        It cannot stand in a library; the sentence says why.
    """
    try:
        return NewSpectrum(**values)
    except ValidationError as error:
        wrong = [
            ": ".join(filter(None, (".".join(map(str, each["loc"])), each["msg"])))
            for each in error.errors()[:3]
        ]
        raise CatalogError(
            f"{values.get('name') or 'A spectrum without a name'} cannot be added: "
            + "; ".join(wrong)
        ) from None


def numbers_digest(energy: Sequence[float], mu: Sequence[float]) -> str:
    """Return the SHA-256 of a spectrum's numbers, as little-endian doubles, energies first."""
    numbers = struct.pack(f"<{len(energy) + len(mu)}d", *energy, *mu)
    return "sha256:" + hashlib.sha256(numbers).hexdigest()
