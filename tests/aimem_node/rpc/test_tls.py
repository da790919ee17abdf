"""What a pinned key vouches for: itself, and nobody else."""

from dataclasses import dataclass
from pathlib import Path

import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aimem_node.contract.errors import Code
from aimem_node.contract.values import GetRequest
from aimem_node.replica.identity import NOT_AFTER, NOT_BEFORE, TLS_NAME, Identity
from aimem_node.rpc.grpc_server import TlsListener
from aimem_node.rpc.tls import peer_fingerprint
from tests.aimem_node.rpc.stage import Stage, failure_of, play

GET = GetRequest(id="m1")


def signed_by(signer: "Identity | Signer", home: Path, *, whole_chain: bool) -> None:
    """Put a fresh key, with a certificate that signer's key signed, where a caller's would be."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(signer.cert_pem)
    signing = serialization.load_pem_private_key(signer.key_pem, None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    public = key.public_key()
    cert = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "child")]))
        .issuer_name(issuer.subject)
        .public_key(public)
        .serial_number(7)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(TLS_NAME)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()),
            critical=False,
        )
        .sign(signing, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    own = home / "identity"
    own.mkdir(parents=True)
    (own / "node.key").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    chain = cert.public_bytes(pem) + (signer.cert_pem if whole_chain else b"")
    (own / "node.crt").write_bytes(chain)


def weak_identity(home: Path) -> bytes:
    """An identity whose certificate does not forbid signing others: no KeyUsage at all."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "weak")])
    public = key.public_key()
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(1)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(TLS_NAME)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    own = home / "identity"
    own.mkdir(parents=True)
    form = serialization.PrivateFormat.PKCS8
    (own / "node.key").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    (own / "node.crt").write_bytes(cert.public_bytes(pem))
    return cert.public_bytes(pem)


def test_a_certificate_that_a_pinned_key_has_signed_is_refused(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        pinned = stage.pin("laptop")
        address = await stage.serve_tls()
        for whole_chain in (False, True):
            name = f"child-{whole_chain}"
            signed_by(pinned, tmp_path / name, whole_chain=whole_chain)
            async with stage.client(address, name) as client:
                failed = await failure_of(client.call("Get", GET))
            assert failed.code in {Code.UNAVAILABLE, Code.UNKNOWN_OUTCOME}
        assert stage.dispatch.seen == []

    play(tmp_path, scene)


def test_a_node_whose_certificate_the_pinned_key_has_signed_is_not_spoken_to(
    tmp_path: Path,
) -> None:
    """The other direction: someone with the node's key cannot make a second node of it."""

    async def scene(stage: Stage) -> None:
        stage.pin("laptop")
        signed_by(stage.identity, tmp_path / "child", whole_chain=True)
        own = tmp_path / "child" / "identity"
        pair = [((own / "node.key").read_bytes(), (own / "node.crt").read_bytes())]
        server = grpc.aio.server()
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pair))
        await server.start()
        async with stage.client(f"127.0.0.1:{port}", None) as client:
            failed = await failure_of(client.call("Get", GET))
        # Not UNIMPLEMENTED, which is what a server without handlers says once it is reached.
        assert failed.code == Code.UNAUTHENTICATED
        await server.stop(0)

    play(tmp_path, scene)


class Roots:
    """An access list that forgot to look what its certificates allow."""

    def __init__(self, pem: bytes) -> None:
        self.roots_pem = pem

    def current(self) -> "Roots":
        return self


@dataclass(frozen=True)
class Signer:
    """What signed_by needs of an identity."""

    cert_pem: bytes
    key_pem: bytes


def test_what_slips_through_the_handshake_is_refused_at_the_call(tmp_path: Path) -> None:
    """With a root that may sign others, gRPC admits a child: then the fingerprint stops it."""

    async def scene(stage: Stage) -> None:
        root = weak_identity(tmp_path / "weak")
        key = (tmp_path / "weak" / "identity" / "node.key").read_bytes()
        signed_by(Signer(root, key), tmp_path / "child", whole_chain=False)
        stage.access = Roots(root)  # type: ignore[assignment]
        address = (await stage.serve(TlsListener("127.0.0.1", 0))).addresses[0]
        async with stage.client(address, "child") as client:
            failed = await failure_of(client.call("Get", GET))
        assert failed.code is Code.UNAUTHENTICATED
        assert "is not pinned here" in failed.message
        assert stage.dispatch.seen == []

    play(tmp_path, scene)


def test_the_node_itself_is_not_pinned_by_standing_in_for_an_empty_list(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        address = await stage.serve_tls()
        async with stage.client(address, "node") as client:
            failed = await failure_of(client.call("Get", GET))
        assert failed.code is Code.UNAUTHENTICATED
        assert stage.dispatch.seen == []

    play(tmp_path, scene)


def test_a_fingerprint_is_that_of_the_leaf(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    cert = stage.identity.cert_pem
    assert peer_fingerprint({"x509_pem_cert": [cert]}) == stage.identity.fingerprint
    assert peer_fingerprint({}) is None
