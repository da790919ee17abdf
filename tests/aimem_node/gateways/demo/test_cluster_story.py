"""The end of the cluster's story; its whole run is proved by `make cluster-demo`."""

import io
from pathlib import Path

from aimem_node.gateways.demo import conversation
from aimem_node.gateways.demo.cluster_story import Story
from aimem_node.gateways.demo.screen import Screen

SAMPLE = conversation.load(conversation.SAMPLE)


def story() -> tuple[Story, io.StringIO]:
    out = io.StringIO()
    return Story(Screen(out, {}), SAMPLE, "the sample"), out


def test_a_story_in_which_all_promises_were_kept_ends_well() -> None:
    told, out = story()
    assert told.farewell(12.0)
    assert "12 s in all" in out.getvalue()
    assert "✗" not in out.getvalue()


def test_a_broken_promise_is_told_again_at_the_end_and_decides() -> None:
    told, out = story()
    told.promises.expect(False, "3 acknowledged memories are not on every node")
    assert not told.farewell(12.0)
    assert "✗ 3 acknowledged memories are not on every node" in out.getvalue()


def test_a_directory_that_is_left_behind_is_a_broken_promise(tmp_path: Path) -> None:
    told, out = story()
    told.homes = [tmp_path]
    assert not told.farewell(12.0)
    assert "left behind" in out.getvalue()
