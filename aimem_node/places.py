"""Where a node keeps its things: pure path arithmetic that the node and its clients share.

Imports `os` and nothing else, because the command line's start-up is what a session hook
feels. Sockets live in the user's runtime directory and not beside the data: their paths may
be at most 107 bytes long, and the directory must be closed to other users.
"""

import os

DATA_DIR_ENV = "AIMEM_DATA_DIR"
RUNTIME_DIR_ENV = "AIMEM_RUNTIME_DIR"
SOCKET_PATH_BYTES_MAX = 107
"""What fits into sun_path on Linux with its closing NUL."""


def default_data_dir(env: "os._Environ[str] | dict[str, str]") -> str:
    """The user's own data directory for aimem, from the environment's conventions."""
    given = env.get(DATA_DIR_ENV)
    if given:
        return os.path.abspath(os.path.expanduser(given))
    home = env.get("HOME") or os.path.expanduser("~")
    if os.uname().sysname == "Darwin":
        return os.path.join(home, "Library", "Application Support", "aimem")
    base = env.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    return os.path.join(base, "aimem")


def _mark(data_dir: str) -> str:
    """A short name for a data directory: FNV-1a of its real path, so that each has its sockets."""
    value = 0xCBF29CE484222325
    for byte in os.path.realpath(data_dir).encode("utf-8", "surrogateescape"):
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"[:12]


def _runtime_base(env: "os._Environ[str] | dict[str, str]") -> str:
    """Where all nodes of this user have their runtime directories."""
    given = env.get(RUNTIME_DIR_ENV)
    if given:
        return os.path.abspath(os.path.expanduser(given))
    if env.get("XDG_RUNTIME_DIR") and os.path.isdir(env["XDG_RUNTIME_DIR"]):
        return os.path.join(env["XDG_RUNTIME_DIR"], "aimem")
    return os.path.join(env.get("TMPDIR") or "/tmp", f"aimem-{os.getuid()}")  # noqa: S108


def runtime_dir(data_dir: str, env: "os._Environ[str] | dict[str, str]") -> str:
    """The directory of the sockets and the pid file of the node that owns data_dir."""
    return os.path.join(_runtime_base(env), _mark(data_dir))


def seen_path(env: "os._Environ[str] | dict[str, str]") -> str:
    """Path of the file in which this user's commands keep what they have seen, of any node."""
    return os.path.join(_runtime_base(env), "seen.json")


def socket_path(data_dir: str, which: str, env: "os._Environ[str] | dict[str, str]") -> str:
    """Path of the unix socket for `which`: "http", "grpc" or "mcp"."""
    return os.path.join(runtime_dir(data_dir, env), which + ".sock")


def pid_path(data_dir: str, env: "os._Environ[str] | dict[str, str]") -> str:
    """Path of the file that holds the running node's process id."""
    return os.path.join(runtime_dir(data_dir, env), "node.pid")


def database_path(data_dir: str) -> str:
    """Path of the store: one SQLite file."""
    return os.path.join(data_dir, "aimem.db")


def lock_path(data_dir: str) -> str:
    """Path of the file whose lock says that a node has the directory open."""
    return os.path.join(data_dir, "aimem.lock")


def log_path(data_dir: str) -> str:
    """Path of the log of a node that was started in the background."""
    return os.path.join(data_dir, "node.log")
