"""Which nodes may speak: one reason for each that may not."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.certs import der_of
from aimem_node.replica.identity import Identity
from aimem_node.rpc import peer_access
from aimem_node.rpc.peer_access import Caller, admitted, fit_certificates, reason_of
from aimem_sync.members import Config, Member
from tests.aimem_node.rpc.peer_stage import CLUSTER, config_of, identity_at, member
from tests.aimem_node.rpc.test_tls import weak_identity


class Context:
    """A call, as far as it is looked at."""

    def __init__(self, pem: bytes | None, **said: str) -> None:
        self._auth = {"x509_pem_cert": [pem]} if pem else {}
        self._said = tuple((f"aimem-{key}", value) for key, value in said.items())

    def auth_context(self) -> Any:
        return self._auth

    def invocation_metadata(self) -> Any:
        return self._said


@pytest.fixture
def ann(tmp_path: Path) -> Identity:
    return identity_at(tmp_path / "ann")


def why(config: Config, context: Context) -> tuple[Code, str]:
    with pytest.raises(Failure) as caught:
        admitted(config, context)
    return caught.value.code, reason_of(caught.value)


def test_a_member_is_known_by_its_key(ann: Identity) -> None:
    call = Context(ann.cert_pem, cluster=CLUSTER, node=ann.node_id)
    assert admitted(config_of(member(ann)), call) == Caller(ann.node_id, ann.fingerprint)


def test_a_second_key_is_as_good_as_the_first(ann: Identity, tmp_path: Path) -> None:
    new = ann.make_next(str(tmp_path / "ann"), SystemChance())
    both = config_of(member(ann)).with_key(ann.node_id, new.fingerprint, der_of(new.cert_pem))
    call = Context(new.cert_pem, cluster=CLUSTER, node=ann.node_id)
    assert admitted(both, call).fingerprint == new.fingerprint


def test_each_way_not_to_be_a_member_has_its_reason(ann: Identity, tmp_path: Path) -> None:
    eve = identity_at(tmp_path / "eve")
    config = config_of(member(ann))
    denied, unknown = Code.PERMISSION_DENIED, Code.UNAUTHENTICATED
    told = {"cluster": CLUSTER, "node": ann.node_id}
    assert why(config, Context(None, **told)) == (unknown, "not_pinned")
    assert why(config, Context(eve.cert_pem, **told)) == (unknown, "not_pinned")
    assert why(config, Context(ann.cert_pem, cluster=CLUSTER)) == (denied, "wrong_node")
    lie = Context(ann.cert_pem, cluster=CLUSTER, node=eve.node_id)
    assert why(config, lie) == (denied, "wrong_node")
    other = Context(ann.cert_pem, cluster="c2" * 16, node=ann.node_id)
    assert why(config, other) == (denied, "wrong_cluster")
    revoked = replace(config, revoked=frozenset({ann.fingerprint}))
    assert why(revoked, Context(ann.cert_pem, **told)) == (denied, "revoked")


def weak_member(home: Path) -> tuple[Member, bytes]:
    pem = weak_identity(home)
    der = der_of(pem)
    name = hashlib.sha256(der).hexdigest()
    return Member("ab" * 16, (name,), certificates=(der,)), pem


def test_a_certificate_that_may_sign_others_is_refused_though_it_is_pinned(
    tmp_path: Path,
) -> None:
    weak, pem = weak_member(tmp_path / "weak")
    call = Context(pem, cluster=CLUSTER, node=weak.node_id)
    assert why(config_of(weak), call) == (Code.PERMISSION_DENIED, peer_access.UNFIT)


def test_only_fit_certificates_become_roots(ann: Identity, tmp_path: Path) -> None:
    weak, _ = weak_member(tmp_path / "weak")
    assert fit_certificates(weak) == {}
    assert fit_certificates(member(ann)) == {ann.fingerprint: ann.cert_pem}
    assert fit_certificates(Member(ann.node_id, (ann.fingerprint,))) == {}


def test_a_failure_without_a_reason_is_counted_by_its_code() -> None:
    assert reason_of(Failure(Code.UNAVAILABLE, "stopping")) == "unavailable"
