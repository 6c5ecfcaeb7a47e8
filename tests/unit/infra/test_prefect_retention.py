"""Prefect forgets after the time in our settings: read by Prefect's own settings, in a process."""

import json
import os
import subprocess
import sys

from infra.prefect_server import retention
from infra.sections import Runs

ASK = """
import json
from prefect.settings import get_current_settings
server = get_current_settings().server
vacuum = server.services.db_vacuum
print(json.dumps([sorted(vacuum.enabled_vacuum_types), vacuum.retention_period.total_seconds(),
                  server.events.retention_period.total_seconds()]))
"""


def understood(runs):
    environment = {**os.environ, **retention(runs)}
    told = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(told.stdout)


def test_the_server_understands_the_retention():
    day = 86_400
    kinds, runs, events = understood(Runs(prefect_days=30, prefect_event_days=3))
    assert {"events", "flow_runs"} <= set(kinds)
    assert (runs, events) == (30 * day, 3 * day)
