"""The client inside the node goes through the same door as everybody."""

import asyncio
from pathlib import Path

from aimem_node.client.inprocess import InProcessClient
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import Event, EventsRequest, GetRequest
from tests.aimem_node.rpc.stage import Stage, failure_of, play, rest


def test_every_call_carries_the_credentials_of_its_caller(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        who = Credentials(channel=Channel.LOOPBACK, bearer="x", surface="http")
        client = InProcessClient(stage.dispatch, who)
        assert (await client.call("Get", GetRequest(id="m1"))).memory.id == "m1"
        for item in (Event(token="1"), None):
            stage.dispatch.events.put_nowait(item)
        items = await rest(client.stream("Events", EventsRequest()))
        assert [item.token for item in items] == ["1"]
        assert [seen[2] for seen in stage.dispatch.seen] == [who, who]
        await client.close()

    play(tmp_path, scene)


def test_a_failure_is_the_very_one_that_was_raised(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        raised = Failure(Code.NOT_FOUND, "no")
        stage.dispatch.failure = raised
        client = InProcessClient(stage.dispatch, Credentials(channel=Channel.INPROCESS))
        assert await failure_of(client.call("Get", GetRequest(id="m1"))) is raised

    play(tmp_path, scene)
    assert asyncio.iscoroutinefunction(InProcessClient.call)
