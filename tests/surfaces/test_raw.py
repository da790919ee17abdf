"""What has no flags or is a stream, over the ways in that carry it; and plainly bad input."""

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from aimem_node.client.sync import SyncClient
from aimem_node.client.wire_http import request as http_request
from aimem_node.contract import codec
from aimem_node.contract.operations import OPERATIONS
from tests.surfaces.ways import Grpc, Http, InProcess, Mcp, Running

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module", params=[InProcess, Grpc, Http, Mcp], ids=lambda way: way.name)
def objects(request: pytest.FixtureRequest, running: Running) -> Any:
    """The ways in that carry arrays of objects."""
    opened = request.param(running)
    yield opened
    opened.close()


def post(running: Running, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
    status, _, answer = http_request(
        running.socket("http"), "POST", path, body, {**JSON, **headers}, 30
    )
    return status, json.loads(answer)


def test_a_bulk_store_keeps_every_memory_in_its_order(objects: Any, place: str) -> None:
    memories = [{"title": f"t{n}", "content": "c", "namespace": place} for n in range(50)]
    answer = objects.call("BulkStore", memories=memories)
    assert answer["created"] == 50
    listed = objects.call("List", namespace=place, limit=100)["memories"]
    assert {m["id"] for m in listed} == set(answer["ids"])


def test_an_import_takes_what_another_system_exported(objects: Any, place: str) -> None:
    record = {"id": f"{place}-1", "title": "t", "content": "c", "namespace": place, "agent_id": "x"}
    other = {**record, "id": f"{place}-2", "title": "u"}
    link = {"source_id": record["id"], "target_id": other["id"], "relation": "related_to"}
    answer = objects.call("Import", memories=[record, other], links=[link])
    assert (answer["imported"], answer["links"]) == (2, 1)
    again = objects.call("Import", memories=[record, other], links=[link])
    assert (again["unchanged"], again["links"]) == (2, 0)


def test_a_backup_is_a_whole_store(running: Running, objects: Any, tmp_path: Path) -> None:
    answer = objects.call("Backup", to=str(tmp_path / "b"))
    copy = Path(answer["path"])
    assert copy.stat().st_size == answer["bytes"]
    import apsw

    db = apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("SELECT count(*) FROM op").fetchone()[0] > 0
    db.close()


def test_an_export_is_the_same_lines_over_http_and_grpc(running: Running, place: str) -> None:
    running.call("Store", title="t", content="c", namespace=place)
    status, _, body = http_request(
        running.socket("http"), "GET", f"/api/v1/export?namespace={place}", None, {}, 30
    )
    assert status == 200
    lines = [json.loads(line) for line in body.decode().splitlines()]
    with SyncClient.unix(running.socket("grpc")) as client:
        request = codec.from_json(OPERATIONS["Export"].request, {"namespace": place})
        assert [codec.to_json(one) for one in client.stream("Export", request)] == lines
    assert lines[-1]["trailer"]["memories"] == 1


def test_events_arrive_as_server_sent_events_as_they_happen(running: Running, place: str) -> None:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(running.socket("http"))
    path = f"/api/v1/events?namespace={place}&limit=2&after=start"
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode()
    )
    teller = threading.Thread(
        target=lambda: [
            running.call("Store", title=f"t{n}", content="c", namespace=place) for n in range(2)
        ]
    )
    teller.start()
    heard = b""
    while heard.count(b"memory_stored") < 2:
        piece = connection.recv(65_536)
        assert piece, heard
        heard += piece
    teller.join()
    connection.close()
    assert b"text/event-stream" in heard
    assert heard.count(b"\nid: ") + heard.count(b"id:") >= 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b'{"title":"t","content":"c","title":"u"}', 400),
        (b'{"title":"t","content":"c","confidence":NaN}', 400),
        (b'{"title":"t","content":"c","colour":"red"}', 400),
        (b'{"title":"t","content":"\xff\xfe"}', 400),
        (b'{"title":"t","content":"c","metadata":' + b'{"a":' * 60 + b"1" + b"}" * 60 + b"}", 400),
        (b"[" * 200_000, 400),
        (b'{"title":"t","content":"' + b"x" * 3_000_000 + b'"}', 413),
    ],
    ids=["empty", "cut", "list", "text", "twice", "nan", "unknown", "not utf-8", "deep", "deeper",
         "huge"],
)  # fmt: skip
def test_bad_json_is_a_clear_error_and_the_node_goes_on(
    running: Running, body: bytes, status: int
) -> None:
    got, shown = post(running, "/api/v1/memories", body)
    assert got == status
    assert shown["error"]
    assert shown["code"] in {"INVALID_ARGUMENT", "TOO_LARGE"}
    assert shown["definite"] is True
    assert shown["next"]
    assert running.call("Health")["status"] == "ok"


def test_a_caller_that_hangs_up_half_way_harms_nobody(running: Running) -> None:
    for cut in (b"POST /api/v1/memories HT", b"POST /api/v1/memories HTTP/1.1\r\nContent-Le",
                b"POST /api/v1/memories HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 500\r\n\r\n{\"title\":"):  # fmt: skip
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(running.socket("http"))
        connection.sendall(cut)
        connection.shutdown(socket.SHUT_WR)
        connection.close()
    for which in ("mcp", "grpc"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(running.socket(which))
        connection.sendall(os.urandom(100))
        connection.close()
    assert running.call("Health")["status"] == "ok"


def test_many_callers_at_once_all_land_and_none_twice(running: Running, place: str) -> None:
    def store(worker: int) -> None:
        with SyncClient.unix(running.socket("grpc")) as client:
            for n in range(20):
                fields = {
                    "title": f"{worker}-{n}", "content": "c", "namespace": place,
                    "options": {"request_key": f"{place}-{worker}-{n}"},
                }  # fmt: skip
                request = codec.from_json(OPERATIONS["Store"].request, fields)
                client.call("Store", request)
                client.call("Store", request)

    workers = [threading.Thread(target=store, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    listed = running.call("List", namespace=place, limit=1000)["memories"]
    assert sorted(m["title"] for m in listed) == sorted(
        f"{worker}-{n}" for worker in range(8) for n in range(20)
    )
