"""What the core is started with: read from the store and from beside the key.

The first start of a lone node founds a cluster of one, epoch 1, with itself as the only voter: so
there is one write path and one kind of node, and a second machine only makes the list longer.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.certs import certificate_from, der_of
from aimem_node.replica.identity import Identity
from aimem_node.replica.votes import VoteFile
from aimem_node.store.session import WriteSession
from aimem_node.store.store import Store
from aimem_node.store.view import View
from aimem_sync.canon import canonical_json
from aimem_sync.cursor import Cursor
from aimem_sync.dataplane import DataPlane, Standing
from aimem_sync.effects import Vote
from aimem_sync.faults import OpFault
from aimem_sync.log import Head
from aimem_sync.members import (
    Config,
    Endorsement,
    Member,
    Proof,
    Role,
    decode_config,
    encode_config,
)
from aimem_sync.op import Origin

META_CLUSTER_ID: Final = "cluster_id"
KEEP_EVERYTHING: Final = 1 << 53
"""Ops whose text stays when no retention is set: all there can be."""
RETAINED_OPS: Final = 10_000
EPOCH_WORDS: Final = b"aimem-epoch\0"


def first_config(identity: Identity, cluster_id: str, name: str, address: str) -> Config:
    """A cluster of one."""
    me = Member(
        identity.node_id, (identity.fingerprint,), Role.VOTER, name, address,
        (der_of(identity.cert_pem),),
    )  # fmt: skip
    return Config(1, (me,), cluster_id=cluster_id)


def encode_proof(proof: Proof) -> bytes:
    """The endorsements of an epoch, as the store keeps them."""
    return canonical_json([[e.node_id, e.fingerprint, e.sig.hex()] for e in proof])


def decode_proof(encoded: bytes) -> Proof:
    """Read what encode_proof wrote. Raises OpFault."""
    try:
        rows = json.loads(encoded)
        return tuple(Endorsement(str(n), str(f), bytes.fromhex(s)) for n, f, s in rows)
    except (ValueError, TypeError) as error:
        raise OpFault(f"not the proof of an epoch: {error}") from error


def proves(old: Config, new: Config, proof: Proof) -> bool:
    """Whether each endorsement is a good signature by a key that its node had in the old epoch.

    Who has to endorse is the core's question; here only signatures are checked.
    """
    said = sha256(EPOCH_WORDS + encode_config(new)).digest()
    for one in proof:
        der = old.certificate_of(one.fingerprint)
        member = old.member(one.node_id)
        if der is None or member is None or one.fingerprint not in member.fingerprints:
            return False
        try:
            if not certificate_from(der).verifies(one.sig, said):
                return False
        except Failure:
            return False
    return True


async def load(
    store: Store,
    identity: Identity,
    origin: Origin,
    votes: VoteFile,
    *,
    name: str,
    address: str,
    retain: bool,
    snapshot_lag_ops: int,
) -> Standing:
    """Everything the core must know. Founds the cluster of one if there is none yet."""

    def found(session: WriteSession) -> None:
        if not session.configs():
            cluster_id = session.meta(META_CLUSTER_ID)
            assert cluster_id is not None, "the replica has minted one"
            config = first_config(identity, cluster_id.decode(), name, address)
            session.put_config(config.epoch, encode_config(config), encode_proof(()))

    await store.writer.write(found)
    return await store.readers.read(
        lambda view: _read(
            view, identity, origin, votes, retain=retain, snapshot_lag_ops=snapshot_lag_ops
        )
    )


def _read(
    view: View, identity: Identity, origin: Origin, votes: VoteFile, *, retain: bool,
    snapshot_lag_ops: int,
) -> Standing:  # fmt: skip
    history: list[Config] = []
    proofs: dict[int, Proof] = {}
    try:
        for epoch, config, proof in view.configs():
            history.append(decode_config(config))
            proofs[epoch] = decode_proof(proof)
    except OpFault as fault:
        raise Failure(
            Code.CORRUPT, f"the list of members cannot be read: {fault}",
            next="Restore a backup: aimem-node restore SNAPSHOT.",
        ) from fault  # fmt: skip
    return standing(
        identity, origin, history, proofs, votes.load(), view.heads(), view.floor(),
        retain=retain, snapshot_lag_ops=snapshot_lag_ops,
    )  # fmt: skip


def standing(
    identity: Identity,
    origin: Origin,
    history: list[Config],
    proofs: Mapping[int, Proof],
    votes: Mapping[int, Vote],
    heads: Mapping[Origin, Head],
    floor: Cursor,
    *,
    retain: bool,
    snapshot_lag_ops: int,
) -> Standing:
    """A Standing of these parts, with this node's way of signing and checking filled in.

    Votes lie beside the key and may be older than the store: of a cluster that this node belonged
    to before its store was taken away or replaced. What was accepted there can follow no epoch of
    this cluster, and a voter bound to it could decide nothing any more.
    """
    cluster_id = history[-1].cluster_id
    return Standing(
        origin=origin,
        history=tuple(history),
        heads=heads,
        floor=floor,
        votes={
            epoch: vote
            for epoch, vote in votes.items()
            if vote.accepted is None or vote.accepted.cluster_id == cluster_id
        },
        retained_ops=RETAINED_OPS if retain else KEEP_EVERYTHING,
        proofs=proofs,
        sign=identity.sign,
        proves=proves,
        snapshot_lag_ops=snapshot_lag_ops,
    )


def begin_settled(core: DataPlane) -> Cursor | None:
    """Of a cluster of one, all that is here is everywhere."""
    return None if len(core.config.members) > 1 else core.intake.have()
