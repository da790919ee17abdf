"""The words of joining as bytes: one JSON object a message, read strictly.

It is no part of the contract in proto/. Whoever speaks it is not yet a member and may be anybody,
so there are three calls, every text in them has a bound, and what is not exactly as it should be is
refused before anyone looks at what it means.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.handshake import Begin, Begun, Prove, Proved, Stage, Word
from aimem_node.replica.identity import CERT_BYTES_MAX
from aimem_node.replica.standing import decode_proof, encode_proof
from aimem_sync.faults import PeerFault
from aimem_sync.members import decode_config, encode_config

SERVICE: Final = "aimem.v1.Join"
BEGIN: Final = f"/{SERVICE}/Begin"
PROVE: Final = f"/{SERVICE}/Prove"
POLL: Final = f"/{SERVICE}/Poll"

REQUEST_BYTES_MAX: Final = 32 * 1024
"""A certificate and a few short texts. Nothing larger is even received."""
ANSWER_BYTES_MAX: Final = 256 * 1024 * 1024
"""Every epoch with every certificate: 2 KiB a member and epoch, so a thousand epochs of a hundred
members. It comes from a sponsor whose fingerprint was in the line."""
TEXT_CHARS_MAX: Final = 256
BYTES_MAX: Final = 1024
"""Of a nonce, a MAC or a signature; the longest is a signature of 72."""


def begin_bytes(begin: Begin) -> bytes:
    """What begin_from reads."""
    return _bytes(
        protocol=begin.protocol,
        invite_id=begin.invite_id,
        certificate=_b64(begin.certificate),
        nonce=_b64(begin.nonce),
        name=begin.name,
        address=begin.address,
    )


def begin_from(body: bytes) -> Begin:
    """Raises INVALID_ARGUMENT, as all of these do."""
    read = _Reader(body)
    return Begin(
        protocol=read.number("protocol"),
        invite_id=read.text("invite_id"),
        certificate=read.packed("certificate", CERT_BYTES_MAX),
        nonce=read.packed("nonce"),
        name=read.text("name"),
        address=read.text("address"),
    )


def begun_bytes(begun: Begun) -> bytes:
    """What begun_from reads."""
    return _bytes(session=begun.session, nonce=_b64(begun.nonce), cluster_id=begun.cluster_id)


def begun_from(body: bytes) -> Begun:
    """The sponsor's answer to Begin."""
    read = _Reader(body)
    return Begun(
        session=read.text("session"),
        nonce=read.packed("nonce"),
        cluster_id=read.text("cluster_id"),
    )


def prove_bytes(prove: Prove) -> bytes:
    """What prove_from reads."""
    return _bytes(session=prove.session, signature=_b64(prove.signature), mac=_b64(prove.mac))


def prove_from(body: bytes) -> Prove:
    """The joining machine's proof."""
    read = _Reader(body)
    return Prove(
        session=read.text("session"), signature=read.packed("signature"), mac=read.packed("mac")
    )


def proved_bytes(proved: Proved) -> bytes:
    """What proved_from reads."""
    return _bytes(
        signature=_b64(proved.signature), mac=_b64(proved.mac), word=_word_facts(proved.word)
    )


def proved_from(body: bytes) -> Proved:
    """The sponsor's proof, and its word."""
    read = _Reader(body)
    return Proved(
        signature=read.packed("signature"), mac=read.packed("mac"), word=_word(read.inner("word"))
    )


def poll_bytes(session: str) -> bytes:
    """What poll_from reads."""
    return _bytes(session=session)


def poll_from(body: bytes) -> str:
    """The session that is asked about."""
    return _Reader(body).text("session")


def word_bytes(word: Word) -> bytes:
    """What word_from reads."""
    return _bytes(**_word_facts(word))


def word_from(body: bytes) -> Word:
    """How the joining stands."""
    return _word(_Reader(body))


def _word_facts(word: Word) -> dict[str, Any]:
    epochs = [
        [_b64(encode_config(config)), _b64(encode_proof(proof))]
        for config, proof in zip(word.history, word.proofs, strict=True)
    ]
    return {"stage": word.stage.value, "said": word.said, "epochs": epochs}


def _word(read: "_Reader") -> Word:
    stage = read.text("stage")
    epochs = read.facts.get("epochs")
    if stage not in set(Stage):
        raise _wrong("stage", f"{stage!r} is no stage")
    if not isinstance(epochs, list):
        raise _wrong("epochs", "is no list")
    try:
        pairs = [(base64.b64decode(c), base64.b64decode(p)) for c, p in epochs]
        history = tuple(decode_config(config) for config, _ in pairs)
        proofs = tuple(decode_proof(proof) for _, proof in pairs)
    except (TypeError, ValueError, PeerFault) as error:
        raise _wrong("epochs", f"cannot be read: {error}") from error
    return Word(Stage(stage), read.text("said"), history, proofs)


class _Reader:
    """One JSON object, asked for its parts."""

    def __init__(self, body: bytes | Mapping[str, Any]) -> None:
        facts: Any = body
        if isinstance(body, bytes):
            try:
                facts = json.loads(body)
            except (ValueError, RecursionError) as error:
                raise _wrong("", "is no JSON") from error
        if not isinstance(facts, dict):
            raise _wrong("", "is no JSON object")
        self.facts: dict[str, Any] = facts

    def text(self, name: str) -> str:
        found = self.facts.get(name)
        if not isinstance(found, str) or len(found) > TEXT_CHARS_MAX:
            raise _wrong(name, f"is no text of at most {TEXT_CHARS_MAX} characters")
        try:
            found.encode("utf-8")
        except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON allows
            raise _wrong(name, "is no Unicode text") from error
        return found

    def number(self, name: str) -> int:
        found = self.facts.get(name)
        if type(found) is not int:
            raise _wrong(name, "is no whole number")
        return found

    def packed(self, name: str, bytes_max: int = BYTES_MAX) -> bytes:
        found = self.facts.get(name)
        if not isinstance(found, str):
            raise _wrong(name, "is no base64 text")
        try:
            unpacked = base64.b64decode(found, validate=True)
        except (binascii.Error, ValueError) as error:
            raise _wrong(name, "is no base64 text") from error
        if len(unpacked) > bytes_max:
            raise _wrong(name, f"is longer than {bytes_max} bytes")
        return unpacked

    def inner(self, name: str) -> "_Reader":
        found = self.facts.get(name)
        if not isinstance(found, dict):
            raise _wrong(name, "is no JSON object")
        return _Reader(found)


def _bytes(**facts: Any) -> bytes:
    return json.dumps(facts, separators=(",", ":")).encode("ascii")


def _b64(packed: bytes) -> str:
    return base64.b64encode(packed).decode("ascii")


def _wrong(name: str, why: str) -> Failure:
    path = f"$.{name}" if name else "$"
    return Failure(Code.INVALID_ARGUMENT, f"{name or 'the message'} {why}", path=path)
