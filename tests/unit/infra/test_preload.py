"""The fork server may fork only while it has one thread, no OpenMP pool and no CUDA."""

import json
import os
import subprocess
import sys

from infra.addresses import ONE_THREAD

LOOK = """
import infra.preload, json, os, sys
from pathlib import Path
from infra import run_child
print(json.dumps({
    "threads": len(os.listdir("/proc/self/task")),
    "maps": Path("/proc/self/maps").read_text(),
    "modules": sorted(sys.modules),
    "ready": run_child.FORK_SERVER == os.getpid(),
}))
"""


def test_preload_only_imports():
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["ready"]
    assert seen["threads"] == 1
    assert "libcuda" not in seen["maps"]
    assert "cupy" not in seen["modules"]
    assert "flows.ct.flow" in seen["modules"]
