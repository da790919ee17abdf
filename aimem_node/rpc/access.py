"""Who may call, as the files under <data_dir>/access say now.

The files are read again when they change, without a restart, and the two directions differ:
a node refuses to *start* on a list it cannot read, but a running node keeps the last good
list and says so loudly, because a typing error must neither open the node nor cut the team
off. A file that is absent is an empty list: deleting it revokes everybody in it.
"""

import hashlib
import os
import stat
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from aimem_node import logs
from aimem_node.clocks import Clock
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.identity import CERT_BYTES_MAX, Certificate
from aimem_node.rpc.access_files import (
    FILE_BYTES_MAX,
    PINS_FILE,
    TOKENS_FILE,
    Pin,
    Token,
    parse_pins,
    parse_tokens,
)

LOOK_EVERY_US = 200_000
"""Between two looks at the files. A fifth of the second in which a revocation must bite."""

CERTS_DIR = "access/certs"

Mark = tuple[int, ...] | None
"""What tells two versions of a file apart without reading it; None when it is absent."""

log = logs.get("rpc")


@dataclass(frozen=True, slots=True)
class AccessList:
    """Everyone who may call, at one moment."""

    pins: Mapping[str, Pin]
    certificates: Mapping[str, bytes] = field(repr=False)
    """PEM by fingerprint, one for every pin."""
    tokens: Mapping[str, Token] = field(repr=False)

    @property
    def roots_pem(self) -> bytes:
        """All pinned certificates in one piece, as TLS wants its roots."""
        return b"".join(self.certificates[fingerprint] for fingerprint in sorted(self.pins))

    def token(self, bearer: str) -> Token | None:
        """The entry of a bearer token; whether it has expired is the caller's question."""
        return self.tokens.get(hashlib.sha256(bearer.encode("utf-8", "replace")).hexdigest())


class Access:
    """The access list of one node, kept in step with its files. Safe to use from any thread."""

    def __init__(self, data_dir: str, clock: Clock) -> None:
        """Read the files; Failure when one cannot be read or is malformed: do not start then."""
        self._data_dir = data_dir
        self._clock = clock
        self._lock = threading.Lock()
        self._marks = self._look()
        self._list = read_access(data_dir)
        self._looked_us = clock.monotonic_us()
        self._error: Failure | None = None

    @property
    def error(self) -> Failure | None:
        """Why the files as they are now are not in force; None when they are."""
        return self._error

    def current(self) -> AccessList:
        """The list in force, at most LOOK_EVERY_US behind the files."""
        now_us = self._clock.monotonic_us()
        if now_us - self._looked_us >= LOOK_EVERY_US:
            with self._lock:
                if now_us - self._looked_us >= LOOK_EVERY_US:
                    self._looked_us = now_us
                    self._reload()
        return self._list

    def _reload(self) -> None:
        marks = self._look()
        if marks == self._marks:
            return
        # The marks are taken before reading: a change during it is seen at the next look.
        self._marks = marks
        try:
            self._list = read_access(self._data_dir)
        except Failure as failure:
            self._error = failure
            log.error("access_kept_last_good", why=failure.message, path=failure.path)
            return
        self._error = None
        log.info("access_reloaded", pins=len(self._list.pins), tokens=len(self._list.tokens))

    def _look(self) -> tuple[Mark, ...]:
        names = (PINS_FILE, TOKENS_FILE, CERTS_DIR)
        return tuple(_mark(os.path.join(self._data_dir, name)) for name in names)


def read_access(data_dir: str) -> AccessList:
    """Read and check everything; Failure INVALID_ARGUMENT or STORAGE when anything is amiss."""
    pins = parse_pins(_read(data_dir, PINS_FILE))
    tokens = parse_tokens(_read(data_dir, TOKENS_FILE))
    certificates = {pin.fingerprint: _certificate(data_dir, pin) for pin in pins.values()}
    return AccessList(pins, certificates, tokens)


def _certificate(data_dir: str, pin: Pin) -> bytes:
    name = f"{CERTS_DIR}/{pin.fingerprint}.pem"
    where = f"{PINS_FILE}:{pin.line}"
    pem = _read(data_dir, name, bytes_max=CERT_BYTES_MAX)
    if not pem:
        raise _wrong(where, f"the certificate {name} of {pin.name!r} is missing")
    try:
        certificate = Certificate.parse(pem, name)
    except Failure as failure:
        raise _wrong(where, failure.message) from failure
    if certificate.fingerprint != pin.fingerprint:
        raise _wrong(where, f"{name} holds another certificate, {certificate.fingerprint}")
    return certificate.pem


def _read(data_dir: str, name: str, bytes_max: int = FILE_BYTES_MAX) -> bytes:
    """The bytes of one of our files, none when it is absent; refused when others may write it."""
    path = os.path.join(data_dir, name)
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            content = file.read(bytes_max + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise Failure(Code.STORAGE, f"cannot read {path}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise _wrong(name, f"{path} is not a plain file")
    if found.st_mode & 0o022 or found.st_uid not in (0, os.geteuid()):
        raise _wrong(name, f"{path} could be changed by another user", f"Run: chmod 600 {path}")
    return content


def _mark(path: str) -> Mark:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_ino,
        found.st_size,
    )


def _wrong(where: str, why: str, next_step: str = "") -> Failure:
    return Failure(
        Code.INVALID_ARGUMENT,
        f"{where}: {why}",
        path=where,
        next=next_step or "Pin the certificate again, or remove its line.",
    )
