"""Change who may call: add and remove pins, create and revoke tokens.

Works on the files alone, whether a node runs or not; a running one notices by itself. Every
change is checked as a whole before it replaces the old file, so this can never leave a list
behind on which a node would not start. Comments and the order of lines are kept.
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.durable import replace_file
from aimem_node.replica.identity import Certificate
from aimem_node.rpc.access import CERTS_DIR, read_access
from aimem_node.rpc.access_files import (
    PINS_FILE,
    TOKENS_FILE,
    Token,
    format_pin,
    format_token,
    parse_pins,
    parse_tokens,
)

TOKEN_PREFIX = "aimem_"  # noqa: S105 - what every token begins with, so that scanners find leaks

_PINS_HEAD = """\
# Who may call with a certificate: sha256:<fingerprint>  <name>  <reader|writer|admin>  <place>
# Without a role: reader; without a place, a namespace: it sees all. Changes are taken up at once.
"""
_TOKENS_HEAD = """\
# Who may call with a token: <name>  sha256:<of it>  <role>  <agent ids>  <expires>  <place>
# Without a place, a namespace: it sees all. Only hashes are kept. Changes are taken up at once.
"""


def add_pin(data_dir: str, cert_pem: bytes, name: str, role: Role, place: str = "") -> str:
    """Let the holder of a certificate's key call as "cert:<name>"; the fingerprint.

    Adding what is there already changes nothing. Raises Failure INVALID_ARGUMENT for a
    certificate that may not be pinned or a bad name, CONFLICT when it is pinned differently.
    """
    certificate = Certificate.parse(cert_pem)
    with _editing(data_dir):
        content = _content(data_dir, PINS_FILE)
        present = parse_pins(content).get(certificate.fingerprint)
        if present:
            if (present.name, present.role, present.place) == (name, role, place):
                return certificate.fingerprint
            where = f" in {present.place}" if present.place else ""
            message = f"the certificate is pinned as {present.name!r}, {present.role.value}{where}"
            raise Failure(Code.CONFLICT, message, next="Remove that pin first.")
        line = format_pin(certificate.fingerprint, name, role, place)
        grown = _grown(content, line, _PINS_HEAD)
        made = parse_pins(grown)[certificate.fingerprint]
        _check_kept(made.name, name)
        _check_kept(made.place, place)
        # The certificate first: a pin without its file would be a malformed list.
        os.makedirs(os.path.join(data_dir, CERTS_DIR), mode=0o700, exist_ok=True)
        replace_file(Path(data_dir, f"{CERTS_DIR}/{certificate.fingerprint}.pem"), certificate.pem)
        replace_file(Path(data_dir, PINS_FILE), grown)
    return certificate.fingerprint


def remove_pin(data_dir: str, which: str) -> tuple[str, ...]:
    """Revoke by fingerprint or name; the fingerprints that were removed. NOT_FOUND when none."""
    wanted = which.lower().removeprefix("sha256:").replace(":", "")
    with _editing(data_dir):
        content = _content(data_dir, PINS_FILE)
        pins = parse_pins(content).values()
        gone = [pin for pin in pins if wanted == pin.fingerprint or which == pin.name]
        if not gone:
            raise Failure(Code.NOT_FOUND, f"nothing is pinned as {which!r}")
        replace_file(Path(data_dir, PINS_FILE), _without(content, {pin.line for pin in gone}))
        for pin in gone:
            _remove(os.path.join(data_dir, CERTS_DIR, f"{pin.fingerprint}.pem"))
    return tuple(pin.fingerprint for pin in gone)


def create_token(
    data_dir: str,
    name: str,
    role: Role,
    agent_pattern: str = "*",
    *,
    expires_us: int | None = None,
    place: str = "",
    draw: Callable[[int], str] = secrets.token_urlsafe,
) -> str:
    """Make a bearer token for "token:<name>" and return it: it is kept nowhere, show it once.

    expires_us is UTC microseconds since 1970. Raises Failure INVALID_ARGUMENT or CONFLICT.
    """
    bearer = TOKEN_PREFIX + draw(32)
    digest = hashlib.sha256(bearer.encode()).hexdigest()
    with _editing(data_dir):
        content = _content(data_dir, TOKENS_FILE)
        if any(token.name.lower() == name.lower() for token in parse_tokens(content).values()):
            message = f"there is a token named {name!r} already"
            raise Failure(Code.CONFLICT, message, next="Revoke it first, or choose another name.")
        line = format_token(name, digest, role, agent_pattern, expires_us, place)
        grown = _grown(content, line, _TOKENS_HEAD)
        made = parse_tokens(grown)[digest]
        _check_kept(made.name, name)
        _check_kept(made.agent_pattern, agent_pattern)
        _check_kept(made.place, place)
        replace_file(Path(data_dir, TOKENS_FILE), grown)
    return bearer


def revoke_token(data_dir: str, name: str) -> Token:
    """Revoke the token of that name and return its entry. NOT_FOUND when there is none."""
    with _editing(data_dir):
        content = _content(data_dir, TOKENS_FILE)
        for token in parse_tokens(content).values():
            if token.name == name:
                replace_file(Path(data_dir, TOKENS_FILE), _without(content, {token.line}))
                return token
    raise Failure(Code.NOT_FOUND, f"there is no token named {name!r}")


@contextmanager
def _editing(data_dir: str) -> Iterator[None]:
    """One editor at a time; the lists are sound before, or nothing is changed."""
    try:
        os.makedirs(os.path.join(data_dir, "access"), mode=0o700, exist_ok=True)
        lock = os.open(os.path.join(data_dir, "access", ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            read_access(data_dir)
            yield
        finally:
            os.close(lock)
    except OSError as error:
        where = os.path.join(data_dir, "access")
        raise Failure(Code.STORAGE, f"cannot change {where}: {error.strerror}") from error


def _content(data_dir: str, name: str) -> bytes:
    try:
        with open(os.path.join(data_dir, name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _grown(content: bytes, line: str, head: str) -> bytes:
    # A name with a newline in it would smuggle in a second line: the caller parses the result,
    # and this keeps what was one argument one line.
    if "\n" in line[:-1] or "#" in line:
        raise Failure(Code.INVALID_ARGUMENT, "no name, pattern or place holds a newline or #")
    before = content or head.encode()
    return before + (b"" if before.endswith(b"\n") else b"\n") + line.encode()


def _check_kept(read: str, given: str) -> None:
    """What is read back is what was given: spaces around it would be lost."""
    if read != given:
        raise Failure(
            Code.INVALID_ARGUMENT, "a name, pattern or place neither begins nor ends with a space"
        )


def _without(content: bytes, lines: set[int]) -> bytes:
    kept = [
        line for number, line in enumerate(content.split(b"\n"), start=1) if number not in lines
    ]
    return b"\n".join(kept)


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except FileNotFoundError:
        return
