"""The jobs of the caretaker, in one list: who has another one adds it here."""

from infra.caretaker.custody import Digests, go_on_copying, go_on_purging
from infra.caretaker.embargo import EMBARGO
from infra.caretaker.job import Job
from infra.caretaker.messages import send_messages
from infra.caretaker.reserve import Keeper
from infra.caretaker.series import reduce_series
from infra.caretaker.watch import Watch

JOBS: tuple[Job, ...] = (
    Job("reserve", 3.0, Keeper().keep),
    Job("series", 1.0, reduce_series),
    Job("messages", 5.0, send_messages),
    Job("watch", 30.0, Watch().look),
    Job("digests", 60.0, Digests().work),
    Job("copies", 15.0, go_on_copying),
    Job("purges", 600.0, go_on_purging),
    EMBARGO,
)
