"""Paths: short enough, apart from each other, and the user's own."""

import subprocess
import sys
from pathlib import Path

from aimem_node import places


def test_each_data_directory_has_sockets_of_its_own() -> None:
    env = {"AIMEM_RUNTIME_DIR": "/run/x"}
    assert places.socket_path("/a", "http", env) != places.socket_path("/b", "http", env)
    assert places.socket_path("/a", "http", env) == places.socket_path("/a/", "http", env)


def test_the_users_own_directories_are_the_default(tmp_path: Path) -> None:
    env = {"HOME": "/home/ann", "XDG_RUNTIME_DIR": str(tmp_path)}
    if sys.platform != "darwin":
        assert places.default_data_dir(env) == "/home/ann/.local/share/aimem"
        assert places.default_data_dir({**env, "XDG_DATA_HOME": "/d"}) == "/d/aimem"
    assert places.runtime_dir("/a", env).startswith(f"{tmp_path}/aimem/")


def test_a_socket_path_fits_where_the_kernel_wants_it(tmp_path: Path) -> None:
    env = {"TMPDIR": "/tmp"}
    path = places.socket_path(str(tmp_path / ("x" * 200)), "http", env)
    assert len(path.encode()) <= places.SOCKET_PATH_BYTES_MAX


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; before = set(sys.modules); import aimem_node.places;"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"aimem_node", "aimem_node.places"}
