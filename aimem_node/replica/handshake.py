"""How a joining machine and its sponsor prove to each other that they speak of the same line.

The secret of the line is never sent. Both sides write down everything they have agreed on, the
transcript, and each shows a MAC of it that only the holder of the secret can make, and a signature
that only the owner of its key can. So whoever sits in between learns nothing, can change nothing,
and can repeat nothing: each side put a fresh number into what was signed.
"""

import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Final, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aimem_node.replica.certs import der_of
from aimem_node.replica.identity import Certificate
from aimem_sync.members import Config, Proof

PROTOCOL: Final = 1
NONCE_BYTES: Final = 16
NAME_BYTES_MAX: Final = 64
KNOCKING: Final = ""
"""The invite id of who brings no line."""

_TITLE: Final = b"aimem-join-1"
_JOINER: Final = b"joiner"
_SPONSOR: Final = b"sponsor"


@dataclass(frozen=True, slots=True)
class Begin:
    """The joining machine introduces itself."""

    invite_id: str
    "KNOCKING if it has no line."
    certificate: bytes
    "PEM."
    nonce: bytes
    name: str
    address: str
    "host:port where the others reach it; empty if it only dials."
    protocol: int = PROTOCOL


@dataclass(frozen=True, slots=True)
class Begun:
    """The sponsor answers it."""

    session: str
    "Known to these two alone: whoever has it may ask how the joining stands."
    nonce: bytes
    cluster_id: str


@dataclass(frozen=True, slots=True)
class Prove:
    """The joining machine proves its key, and that it has the line."""

    session: str
    signature: bytes
    mac: bytes
    "Empty when it knocks."


class Stage(StrEnum):
    """How the joining stands at the sponsor."""

    WAITING = "waiting"
    "For somebody to approve it."
    DECIDING = "deciding"
    "The voters have been asked."
    ADMITTED = "admitted"
    "It is a member."


@dataclass(frozen=True, slots=True)
class Word:
    """What the sponsor says of the joining now."""

    stage: Stage
    said: str = ""
    history: tuple[Config, ...] = field(default=(), repr=False)
    "Every epoch, once it is admitted; the last names it."
    proofs: tuple[Proof, ...] = field(default=(), repr=False)
    "One for each epoch of the history."


@dataclass(frozen=True, slots=True)
class Proved:
    """The sponsor proves the same in turn, and says how the joining stands."""

    signature: bytes
    mac: bytes
    word: Word


class Sponsor(Protocol):
    """A sponsor that can be spoken to. rpc/join_client.py has the real one."""

    certificate: Certificate
    address: str

    async def begin(self, begin: Begin) -> Begun:
        """Raises Failure: the sponsor's, or UNAVAILABLE if it cannot be reached."""
        ...

    async def prove(self, prove: Prove) -> Proved:
        """The same."""
        ...

    async def poll(self, session: str) -> Word:
        """The same."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class Door(Protocol):
    """The way to a sponsor."""

    async def open(self, addresses: Sequence[str], fingerprint: str) -> Sponsor:
        """A connection to the first address that shows the certificate of this fingerprint.

        Raises UNAVAILABLE if none can be reached, PERMISSION_DENIED if others answer there.
        """
        ...


def transcript(begin: Begin, begun: Begun, sponsor: Certificate) -> bytes:
    """All that both sides have agreed on, each part with its length before it."""
    parts = (
        _TITLE,
        str(begin.protocol).encode(),
        b"learner",
        begun.cluster_id.encode(),
        begin.invite_id.encode(),
        begin.name.encode(),
        begin.address.encode(),
        der_of(begin.certificate),
        der_of(sponsor.pem),
        begin.nonce,
        begun.nonce,
        begun.session.encode(),
    )
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def joiner_words(agreed: bytes) -> bytes:
    """What the joining machine signs."""
    return _JOINER + b"\0" + sha256(agreed).digest()


def sponsor_words(agreed: bytes) -> bytes:
    """What the sponsor signs: never what the other does, or it could be sent back."""
    return _SPONSOR + b"\0" + sha256(agreed).digest()


def mac_of(secret: bytes, invite_id: str, words: bytes) -> bytes:
    """Shows that its maker has the secret of the line."""
    key = HKDF(hashes.SHA256(), 32, salt=_TITLE, info=invite_id.encode()).derive(secret)
    return hmac.digest(key, words, "sha256")


def is_mac_of(mac: bytes, secret: bytes, invite_id: str, words: bytes) -> bool:
    """Whether the secret made this. Takes the same time whatever is wrong with it."""
    return hmac.compare_digest(mac, mac_of(secret, invite_id, words))
