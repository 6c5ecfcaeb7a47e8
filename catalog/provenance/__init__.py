"""Where a result comes from, for the outside: as Workflow Run RO-Crate and as PROV."""

from catalog.provenance.crate import build_crate, write_crate, zipped_crate
from catalog.provenance.facts import Facts, facts_of
from catalog.provenance.prov_json import prov_json

__all__ = ["Facts", "build_crate", "facts_of", "prov_json", "write_crate", "zipped_crate"]
