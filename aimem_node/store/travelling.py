"""Ops and answers as they leave this node, made straight from rows.

A run of ops for a peer needs no Op, no Edit and no check: the bytes were checked when they came.
What is made here is what aimem_sync.op.encode_op makes, to the byte; a test compares.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import apsw

from aimem_node.store.answers import Answer
from aimem_sync.dot import Dot
from aimem_sync.op import Origin, header_bytes

_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_ABSENT: Final = b"\0"
_PRESENT: Final = b"\1"


def encoded_ops(
    connection: apsw.Connection, origin: Origin, first: int, last: int, bytes_max: int
) -> list[bytes]:
    """See View.encoded_ops."""
    rows = connection.execute(
        "SELECT seq, lamport, wall_us, epoch, kind, record_id, author, request_key, withheld,"
        " body, body_sha256, prev_chain, chain, sig"
        " FROM origin CROSS JOIN op USING(oid)"
        " WHERE node_id = ? AND incarnation = ? AND floor < ?3 AND seq BETWEEN ?3 AND ?4"
        " ORDER BY seq",
        (origin.node_id, origin.incarnation, first, last),
    )
    encoded: list[bytes] = []
    room = bytes_max
    for seq, lamport, wall_us, epoch, kind, record_id, author, key, withheld, *parts in rows:
        if withheld:
            break
        body, body_sha256, prev_chain, chain, sig = parts
        header = header_bytes(origin, seq, lamport, wall_us, epoch, kind, record_id, author, key)
        said = (_ABSENT,) if body is None else (_PRESENT, _U32.pack(len(body)), body)
        one = b"".join((header, *said, body_sha256, prev_chain, chain, _U16.pack(len(sig)), sig))
        room -= len(one)
        if room < 0 and encoded:
            break
        encoded.append(one)
    return encoded


def answers_of(connection: apsw.Connection, origin: Origin, first: int, last: int) -> list[bytes]:
    """See View.answers_of."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT made_seq, author, request_key, request_sha256, response, at_us FROM origin"
        " CROSS JOIN idem ON made_oid = origin.oid"
        " WHERE node_id = ? AND incarnation = ? AND made_seq BETWEEN ? AND ? ORDER BY made_seq",
        (origin.node_id, origin.incarnation, first, last),
    ).fetchall()
    answers = []
    for seq, author, key, request_sha256, response, at_us in rows:
        told = connection.execute(
            "SELECT record_id FROM idem_record WHERE author = ? AND request_key = ?"
            " ORDER BY record_id",
            (author, key),
        )
        record_ids = tuple([str(record_id) for (record_id,) in told])
        dot = Dot(origin, seq)
        one = Answer(dot, author, key, request_sha256, response, at_us, record_ids)
        answers.append(one.encode())
    return answers
