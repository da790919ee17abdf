"""Keys of simulated nodes: a name is the public half, and only its owner says its secret.

Good enough to tell a forged signature from a good one, and the same in every run.
"""

from __future__ import annotations

from hashlib import sha256

from aimem_sync.members import Config, Proof, endorsed_bytes


def signature(fingerprint: str, said: bytes) -> bytes:
    """What the owner of this key makes of some bytes."""
    return sha256(b"secret of " + fingerprint.encode() + said).digest()


def proves(old: Config, new: Config, proof: Proof) -> bool:
    """decree.Proves for these keys."""
    said = endorsed_bytes(new)
    return all(
        old.node_of(one.fingerprint) == one.node_id and one.sig == signature(one.fingerprint, said)
        for one in proof
    )
