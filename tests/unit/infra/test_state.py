import socket
import stat

import pytest

from infra.state import State, StateError, port_is_free, write_whole


def test_a_second_platform_is_refused(tmp_path):
    state = State(tmp_path / "state")
    assert not state.locked()
    with state.lock():
        assert state.locked()
        with pytest.raises(StateError, match="in use"), State(tmp_path / "state").lock():
            pass
    assert not state.locked()
    with state.lock():
        pass


def test_a_port_once_chosen_stays(tmp_path):
    ports = {name: State(tmp_path).port(name) for name in ("api", "prefect")}
    assert len(set(ports.values())) == 2
    assert {name: State(tmp_path).port(name) for name in ports} == ports
    assert State(tmp_path).port("api", {"api": 4711}) == 4711


def test_secrets_are_ours_alone(tmp_path):
    secret = State(tmp_path).secret("api")
    assert State(tmp_path).secret("api") == secret
    assert State(tmp_path).secret("prefect", prefix="dayseye:").startswith("dayseye:")
    assert stat.S_IMODE((tmp_path / "secrets" / "api").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_a_file_is_replaced_whole(tmp_path):
    write_whole(tmp_path / "x", {"a": 1})
    write_whole(tmp_path / "x", "text", mode=0o600)
    assert (tmp_path / "x").read_text() == "text"
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_a_port_in_use_is_not_free():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not port_is_free(taken.getsockname()[1])
