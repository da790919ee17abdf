"""What a node starts with: the cluster it founds, the epochs it believes, the rows it does not."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.certs import der_of
from aimem_node.replica.identity import Identity, identity_dir
from aimem_node.replica.standing import (
    KEEP_EVERYTHING,
    META_CLUSTER_ID,
    RETAINED_OPS,
    decode_proof,
    encode_proof,
    first_config,
    load,
    proves,
)
from aimem_node.replica.votes import VoteFile
from aimem_node.store.store import Store
from aimem_sync.dataplane import Standing
from aimem_sync.faults import OpFault
from aimem_sync.members import Config, Endorsement, Member, Role, encode_config, endorsed_bytes
from aimem_sync.op import Origin


class Home:
    """A directory with a key and a store, as the replica leaves it for `load`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.identity = Identity.load_or_create(str(path), SystemChance())
        self.origin = Origin(self.identity.node_id, "0a" * 8)
        self.votes = VoteFile(identity_dir(str(path)))
        self.store = Store.open(path, lambda _why: None)
        self.put(lambda session: session.put_meta(META_CLUSTER_ID, b"c1" * 16))

    def put(self, job) -> None:
        self.store.writer.submit(job).result(20)

    def load(self, *, retain: bool = False, name: str = "lab") -> Standing:
        return asyncio.run(
            load(
                self.store,
                self.identity,
                self.origin,
                self.votes,
                name=name,
                address="lab:7740",
                retain=retain,
                snapshot_lag_ops=7,
            )
        )


@pytest.fixture
def home(tmp_path: Path):
    home = Home(tmp_path / "n")
    yield home
    home.store.close()


@pytest.fixture
def other(tmp_path: Path) -> Identity:
    return Identity.load_or_create(str(tmp_path / "o"), SystemChance())


def member(identity: Identity, role: Role = Role.VOTER) -> Member:
    der = der_of(identity.cert_pem)
    return Member(identity.node_id, (identity.fingerprint,), role, "", "", (der,))


def endorsed(config: Config, *by: Identity) -> tuple[Endorsement, ...]:
    said = endorsed_bytes(config)
    return tuple(Endorsement(one.node_id, one.fingerprint, one.sign(said)) for one in by)


def test_the_first_start_founds_a_cluster_of_one_and_the_second_finds_it(home: Home) -> None:
    (config,) = home.load().history
    me = home.identity
    assert (config.epoch, config.cluster_id) == (1, "c1" * 16)
    assert config.voters == {me.node_id}
    assert config.node_of(me.fingerprint) == me.node_id
    assert config.certificate_of(me.fingerprint) == der_of(me.cert_pem)
    assert (config.members[0].name, config.members[0].address) == ("lab", "lab:7740")
    assert home.load(name="renamed").history == (config,), "what is founded is not founded again"


def test_a_node_takes_up_its_log_its_epochs_and_their_proofs(home: Home, other: Identity) -> None:
    (one,) = home.load().history
    two = one.with_learner(other.node_id, other.fingerprint, "other", "", der_of(other.cert_pem))
    proof = endorsed(two, home.identity)
    home.put(lambda session: session.put_config(2, encode_config(two), encode_proof(proof)))
    begin = home.load()
    assert begin.history == (one, two)
    assert begin.proofs == {1: (), 2: proof}
    assert begin.origin == home.origin
    assert begin.proves(one, two, proof)
    assert home.identity.certificate.verifies(begin.sign(b"words"), b"words")
    assert begin.snapshot_lag_ops == 7


def test_without_a_retention_everything_stays(home: Home) -> None:
    assert home.load().retained_ops == KEEP_EVERYTHING
    assert home.load(retain=True).retained_ops == RETAINED_OPS


@pytest.mark.parametrize(
    ("config", "proof"),
    [(b"{", None), (b"{}", None), (None, b"nothing"), (None, b'[["n","f"]]'), (None, b"7")],
)
def test_damaged_rows_are_called_corrupt_and_say_what_to_do(
    home: Home, config: bytes | None, proof: bytes | None
) -> None:
    (one,) = home.load().history
    two = replace(one, epoch=2)
    row = (config or encode_config(two), proof or encode_proof(()))
    home.put(lambda session: session.put_config(2, *row))
    with pytest.raises(Failure) as refused:
        home.load()
    assert refused.value.code is Code.CORRUPT
    assert "restore" in refused.value.next


# ---- proofs --------------------------------------------------------------------------------------


def test_a_proof_is_kept_and_read_back_as_it_was(home: Home, other: Identity) -> None:
    config = first_config(home.identity, "c", "", "")
    proof = endorsed(config, home.identity, other)
    assert decode_proof(encode_proof(proof)) == proof
    assert decode_proof(encode_proof(())) == ()


@pytest.mark.parametrize("encoded", [b"", b"[[1,2]]", b'[["n","f","zz"]]', b"null", b"\xff"])
def test_what_is_no_proof_is_not_read(encoded: bytes) -> None:
    with pytest.raises(OpFault):
        decode_proof(encoded)


class Pair:
    """An epoch of two voters and the one after it."""

    def __init__(self, one: Identity, two: Identity) -> None:
        members = tuple(sorted((member(one), member(two)), key=lambda m: m.node_id))
        self.old = Config(1, members, cluster_id="c1" * 16)
        self.new = self.old.with_address(one.node_id, "a", "elsewhere:1")


@pytest.fixture
def pair(home: Home, other: Identity) -> Pair:
    return Pair(home.identity, other)


def test_good_signatures_by_members_of_the_old_epoch_prove_the_new_one(
    home: Home, other: Identity, pair: Pair
) -> None:
    assert proves(pair.old, pair.new, endorsed(pair.new, home.identity, other))


def test_a_signature_under_other_words_proves_nothing(
    home: Home, other: Identity, pair: Pair
) -> None:
    elsewhere = replace(pair.new, revoked=frozenset({"f"}))
    assert not proves(pair.old, pair.new, endorsed(elsewhere, home.identity))
    assert not proves(pair.old, pair.new, (*endorsed(pair.new, other), *endorsed(pair.old, other)))


def test_a_bent_signature_proves_nothing(home: Home, pair: Pair) -> None:
    (good,) = endorsed(pair.new, home.identity)
    bent = bytes([good.sig[0] ^ 1]) + good.sig[1:]
    for sig in (bent, b"", good.sig[:-1], b"\0" * len(good.sig)):
        assert not proves(pair.old, pair.new, (replace(good, sig=sig),))


def test_a_strangers_signature_proves_nothing(tmp_path: Path, pair: Pair) -> None:
    stranger = Identity.load_or_create(str(tmp_path / "s"), SystemChance())
    assert not proves(pair.old, pair.new, endorsed(pair.new, stranger))


def test_nobody_signs_in_anothers_name(home: Home, other: Identity, pair: Pair) -> None:
    (good,) = endorsed(pair.new, other)
    assert not proves(pair.old, pair.new, (replace(good, node_id=home.identity.node_id),))
    (mine,) = endorsed(pair.new, home.identity)
    assert not proves(pair.old, pair.new, (replace(mine, fingerprint=other.fingerprint),))


def test_a_member_without_a_certificate_can_prove_nothing(home: Home, pair: Pair) -> None:
    bare = tuple(replace(one, certificates=()) for one in pair.old.members)
    old = replace(pair.old, members=bare)
    assert not proves(old, pair.new, endorsed(pair.new, home.identity))
