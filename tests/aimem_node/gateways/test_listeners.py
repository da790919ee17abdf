"""Sockets are opened where only their owner can reach them, and never over something alive."""

import os
import stat

import pytest

from aimem_node.gateways import listeners


def test_a_unix_socket_is_its_owners_alone(tmp_path) -> None:
    path = str(tmp_path / "run" / "http.sock")
    with listeners.open_unix(path):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(tmp_path / "run").st_mode) == 0o700


def test_a_dead_socket_is_replaced(tmp_path) -> None:
    path = str(tmp_path / "http.sock")
    listeners.open_unix(path).close()
    assert os.path.exists(path)
    listeners.open_unix(path).close()


def test_a_live_socket_is_left_alone(tmp_path) -> None:
    path = str(tmp_path / "http.sock")
    with listeners.open_unix(path), pytest.raises(OSError, match="another server"):
        listeners.open_unix(path)


def test_a_file_in_the_way_is_not_removed(tmp_path) -> None:
    path = tmp_path / "http.sock"
    path.write_text("mine")
    with pytest.raises(OSError, match="not a socket"):
        listeners.open_unix(str(path))
    assert path.read_text() == "mine"


def test_a_directory_open_to_others_is_refused(tmp_path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    with pytest.raises(OSError, match="chmod 700"):
        listeners.open_unix(str(shared / "http.sock"))


def test_a_path_too_long_for_a_socket_is_refused_with_the_reason(tmp_path) -> None:
    with pytest.raises(OSError, match="107 bytes"):
        listeners.open_unix(str(tmp_path / ("x" * 200)))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", ""])
def test_plain_http_is_kept_off_the_network(host) -> None:
    with pytest.raises(OSError, match="loopback only"):
        listeners.open_loopback(host, 0)


def test_port_zero_picks_a_free_port() -> None:
    with listeners.open_loopback("localhost", 0) as listener:
        assert listener.getsockname()[1] > 0
