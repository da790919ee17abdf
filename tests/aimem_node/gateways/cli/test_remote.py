"""`--node`: another machine's node over gRPC, in the same words as the one here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import Event, EventsRequest, ListRequest, ListResponse
from aimem_node.gateways.cli import fast, remote
from tests.aimem_node.gateways.cli.fake_node import FakeNode


class Elsewhere:
    """Stands for the gRPC client."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.failure: Failure | None = None
        self.route: Any = None

    def __call__(self, route: Any, timeout_s: float) -> "Elsewhere":
        self.route = route
        return self

    def call(self, operation: str, request: Any) -> Any:
        self.asked.append((operation, request))
        if self.failure:
            raise self.failure
        return ListResponse(memories=(), count=0, next_cursor="")

    def stream(self, operation: str, request: Any) -> Iterator[Any]:
        self.asked.append((operation, request))
        yield Event(token="7")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, absent: FakeNode) -> Elsewhere:
    made = Elsewhere()
    monkeypatch.setattr(remote, "SyncClient", made)
    monkeypatch.setenv("AIMEM_TLS_CA", "their.crt")
    own = Path(absent.data_dir, "identity")
    own.mkdir(parents=True)
    (own / "node.crt").touch()
    return made


def test_a_call_elsewhere_is_the_same_request(
    elsewhere: Elsewhere, capsys: pytest.CaptureFixture[str], absent: FakeNode
) -> None:
    assert fast.main(["--node", "h:7", "list", "-n", "a", "--limit", "3", "--json"]) == 0
    assert elsewhere.asked == [("List", ListRequest(namespace="a", limit=3))]
    assert capsys.readouterr().out == '{"count":0,"memories":[],"next_cursor":""}\n'
    route = elsewhere.route
    assert (route.target, route.tls.node_cert) == ("h:7", "their.crt")
    assert route.tls.key == f"{absent.data_dir}/identity/node.key"


def test_a_token_goes_with_our_certificate(elsewhere: Elsewhere, absent: FakeNode) -> None:
    assert fast.main(["list", "--node", "h:7", "--token", "secret"]) == 0
    own = f"{absent.data_dir}/identity/node.crt"
    assert (elsewhere.route.bearer, elsewhere.route.tls.cert) == ("secret", own)
    assert "secret" not in repr(elsewhere.route)


def test_a_stream_from_elsewhere_prints_its_items(
    elsewhere: Elsewhere, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fast.main(["--node", "h:7", "events", "--after", "start", "--json"]) == 0
    assert elsewhere.asked == [("Events", EventsRequest(after="start"))]
    assert '"token":"7"' in capsys.readouterr().out


def test_a_failure_elsewhere_keeps_its_words_and_a_lost_write_its_key(
    elsewhere: Elsewhere, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere.failure = Failure(Code.NOT_FOUND, "no memory 'x'", path="$.id", next="List them.")
    assert fast.main(["--node", "h:7", "get", "x"]) == 3
    assert capsys.readouterr().err == "aimem: no memory 'x' (ID)\nnext: List them.\n"
    elsewhere.failure = Failure(Code.UNKNOWN_OUTCOME, "the connection ended")
    assert fast.main(["--node", "h:7", "delete", "x", "--request-key", "k9"]) == 5
    assert "--request-key k9" in capsys.readouterr().err


def test_without_a_certificate_of_our_own_nothing_is_tried(
    elsewhere: Elsewhere, absent: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(absent.data_dir, "identity", "node.crt").unlink()
    assert fast.main(["--node", "h:7", "--token", "secret", "list"]) == 2
    assert "aimem-node identity --cert" in capsys.readouterr().err
    assert elsewhere.asked == []


def test_an_address_without_a_port_is_refused(
    elsewhere: Elsewhere, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fast.main(["--node", "h", "list"]) == 2
    assert "HOST:PORT" in capsys.readouterr().err
    assert elsewhere.asked == []


def test_without_the_other_nodes_certificate_nothing_is_tried(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AIMEM_TLS_CA")
    assert fast.main(["--node", "h:7", "list"]) == 2
    assert "--tls-ca" in capsys.readouterr().err
    assert elsewhere.asked == []
