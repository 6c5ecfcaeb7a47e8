"""What is recorded of the machine and its software."""

import hashlib
import json
import os
import re

from flows import machine


def test_it_tells_what_a_result_may_depend_on() -> None:
    found = machine.machine()
    assert found["cores"] == len(os.sched_getaffinity(0))
    assert found["memory"] > 1e8
    assert found["cpu"]
    assert {"dayseye", "numpy", "finufft", "dask", "prefect"} <= set(found["packages"])
    lock = (machine.ROOT / "requirements.lock").read_bytes()
    assert found["lock_digest"] == "sha256:" + hashlib.sha256(lock).hexdigest()
    for name in ("environment_digest", "code_digest"):
        assert re.fullmatch("sha256:[0-9a-f]{64}", found[name])
    assert json.loads(json.dumps(found)) == found


def test_gpus_come_with_their_driver() -> None:
    found = machine.machine()
    assert bool(found["gpus"]) == bool(found["driver"])
    for gpu in found["gpus"]:
        assert gpu["name"]
        assert gpu["memory"] > 0
