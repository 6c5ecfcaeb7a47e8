"""The jobs of the caretaker, in one list: who has another one adds it here."""

from infra.caretaker.embargo import EMBARGO
from infra.caretaker.job import Job

JOBS: tuple[Job, ...] = (EMBARGO,)
