import json
import logging
import os
import time

from infra.logs import JsonFormatter, LogCollector


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_every_line_becomes_an_object(tmp_path):
    collector = LogCollector(tmp_path)
    pipe = collector.pipe("api")
    os.write(pipe, b'plain text\n{"message": "own", "flow_run_id": "7"}\nno end')
    os.close(pipe)
    deadline = time.monotonic() + 10
    while len(lines(tmp_path / "api.log")) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first, second, third = lines(tmp_path / "api.log")
    assert (first["service"], first["message"]) == ("api", "plain text")
    assert (second["service"], second["flow_run_id"]) == ("api", "7")
    assert third["message"] == "no end"
    assert collector.last_message("api") == "no end"


def test_a_record_carries_its_run():
    record = logging.makeLogRecord(
        {"msg": "slab %d", "args": (3,), "flow_run_id": "f", "task_run_name": "<unknown>"}
    )
    line = json.loads(JsonFormatter().format(record))
    assert line["message"] == "slab 3"
    assert line["flow_run_id"] == "f"
    assert "task_run_name" not in line
