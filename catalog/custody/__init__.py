"""Care of the data: digests, copies in another place, verification, holds, purging."""

from catalog.custody.archiving import archive, ask_for_copy
from catalog.custody.digests import digest_some
from catalog.custody.holds import hold, release
from catalog.custody.listing import custody, to_archive
from catalog.custody.place import Place
from catalog.custody.purging import purge, purgeable, resume_purges
from catalog.custody.verifying import verify

__all__ = [
    "Place",
    "archive",
    "ask_for_copy",
    "custody",
    "digest_some",
    "hold",
    "purge",
    "purgeable",
    "release",
    "resume_purges",
    "to_archive",
    "verify",
]
