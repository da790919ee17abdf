"""Somebody at the door who does not belong: dials a member as a peer would.

    python -m chaos.intruder --home DIR --claims NODE_ID --cluster ID NAME=HOST:PORT=CERT ...

The key in DIR is a stranger's, or that of a member which was evicted. It prints one JSON object:
for each member and each way in, why it was refused, and "" where it was not. A member whose port
cannot even be reached has refused nobody: that ends it with an error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import grpc
import grpc.aio

from aimem_node.clocks import SystemChance, SystemClock
from aimem_node.replica.certs import der_of
from aimem_node.replica.identity import Identity
from aimem_node.rpc.peer_access import reason_of
from aimem_node.rpc.peer_asks import LEVEL_BUCKETS, DigestAsk, Hello, digest_ask_bytes, hello_bytes
from aimem_node.rpc.peer_dialer import carried, claims, open_channel
from aimem_node.rpc.peer_pipe import LIVE
from aimem_node.rpc.peer_server import SERVICE
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Origin
from aimem_sync.members import Config, Member, Role

PATIENCE_S = 10.0
LISTEN_S = 2.0
"""How long a stream is listened to. A member says something twice a second; a refusal comes at
once."""
ADMITTED = ""


async def try_all(identity: Identity, claimed: str, cluster: str, target: str) -> dict[str, str]:
    """Every way into one member; what was said at each."""
    name, address, certificate = target.split("=", 2)
    der = der_of(await asyncio.to_thread(Path(certificate).read_bytes))
    host, _, port = address.rpartition(":")
    _, plain = await asyncio.wait_for(asyncio.open_connection(host, int(port)), PATIENCE_S)
    plain.close()
    member = Member(name, (sha256(der).hexdigest(),), Role.VOTER, name, address, (der,))
    config = Config(1, (member,), cluster_id=cluster)
    channel = open_channel(address, identity, member)
    said = claims(config, claimed)
    origin = Origin(claimed, "0" * 16)
    hello = Hello(cluster, origin, 1, Cursor(), SystemClock().now_us())
    asks = {"Hello": hello_bytes(hello), "Digest": digest_ask_bytes(DigestAsk(LEVEL_BUCKETS))}
    found: dict[str, str] = {}
    try:
        for way, body in asks.items():
            found[way] = await _refusal(
                channel.unary_unary(f"/{SERVICE}/{way}")(body, timeout=PATIENCE_S, metadata=said)
            )
        stream = channel.stream_stream(f"/{SERVICE}/{LIVE}")(
            _nothing(), timeout=LISTEN_S, metadata=said
        )
        found[LIVE] = await _refusal(stream.read())
    finally:
        await channel.close()
    return found


async def _nothing() -> AsyncIterator[bytes]:
    """A stream that stays open and says nothing."""
    await asyncio.sleep(PATIENCE_S)
    yield b""


async def _refusal(call: object) -> str:
    try:
        answer = await call  # type: ignore[misc]
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return ADMITTED  # nobody refused it: it was let in and told nothing yet
        refused = carried(error)
        return reason_of(refused) if refused else error.code().name
    return "ended" if answer is grpc.aio.EOF else ADMITTED


async def main_async(asked: argparse.Namespace) -> dict[str, dict[str, str]]:
    """All members, one after the other."""
    identity = Identity.load_or_create(asked.home, SystemChance())
    return {
        target.partition("=")[0]: await try_all(identity, asked.claims, asked.cluster, target)
        for target in asked.targets
    }


def main() -> int:
    """Print what came of it; 0 in any case: to be refused is what is wanted."""
    parser = argparse.ArgumentParser("chaos.intruder", description=main.__doc__)
    parser.add_argument("--home", required=True)
    parser.add_argument("--claims", required=True)
    parser.add_argument("--cluster", required=True)
    parser.add_argument("targets", nargs="+")
    print(json.dumps(asyncio.run(main_async(parser.parse_args()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
