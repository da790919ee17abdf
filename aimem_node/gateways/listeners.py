"""Open the sockets that the gateways listen on, and refuse the unsafe ones.

A unix socket is as private as its directory: the mode of the socket itself is set only after
it exists, so the directory must already be closed to everyone else.
"""

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

PATH_BYTES_MAX = 107
"""What fits into sun_path on Linux with its closing NUL."""

BACKLOG = 128
"""Connections that may wait to be accepted: a hook storm of one a core, many times over."""

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


def open_unix(path: str) -> socket.socket:
    """A listening unix socket at path, mode 0600 in a directory of mode 0700.

    A dead socket file in the way is removed. Raises OSError with what is wrong: the path is
    too long, the directory belongs to someone else, or a live server listens there already.
    """
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise OSError(
            errno.ENAMETOOLONG,
            f"a socket path may have {PATH_BYTES_MAX} bytes; choose a shorter runtime directory",
            path,
        )
    _close_to_others(Path(path).parent)
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def open_loopback(host: str, port: int) -> socket.socket:
    """A listening TCP socket that only this machine reaches; port 0 picks a free one."""
    if host not in LOOPBACK_HOSTS:
        raise OSError(errno.EADDRNOTAVAIL, "plain HTTP is served on loopback only", host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    address = "127.0.0.1" if host == "localhost" else host
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def remove_unix(path: str) -> None:
    """Take a socket file away after its listener was closed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _close_to_others(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = directory.stat()
    if facts.st_uid not in (os.geteuid(), 0):
        raise OSError(errno.EPERM, "the socket directory belongs to another user", str(directory))
    if stat.S_IMODE(facts.st_mode) & 0o077:
        raise OSError(
            errno.EPERM,
            "the socket directory is open to other users; close it with chmod 700",
            str(directory),
        )


def _clear(path: str) -> None:
    try:
        facts = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(facts.st_mode):
        raise OSError(errno.EEXIST, "something that is not a socket is in the way", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            remove_unix(path)
        else:
            raise OSError(errno.EADDRINUSE, "another server is listening here", path)
