"""What the fork server loads before it forks a run: imports, and nothing else.

A run starts from a copy of this process, so it finds everything loaded. A copy is sound only of a
process without threads, without an OpenMP pool and without CUDA: nothing here may start one.
"""

import gc
import importlib
import os

from infra.processes import die_with_parent

# The fork server is a child of the worker's main thread, whose death must be its own.
die_with_parent()

from flows.machine import software  # noqa: E402
from flows.registry import FLOWS  # noqa: E402
from infra import run_child  # noqa: E402
from tasks.io.scan import readers  # noqa: E402

for _entry in FLOWS.values():
    importlib.import_module(_entry.entrypoint.partition(":")[0])
importlib.import_module("flows.batch")
readers()
software()
# drawing takes a second to load, which each run would pay
importlib.import_module("matplotlib.backends.backend_agg")
importlib.import_module("matplotlib.font_manager")
importlib.import_module("matplotlib.figure")

run_child.FORK_SERVER = os.getpid()

# What is loaded stays: the children's collector need not touch (and so copy) its pages.
gc.collect()
gc.freeze()
