"""Whole processes under measurement."""

from typing import ClassVar

import pytest

from aimem_node.gateways.operator.bench import programs


def test_the_default_tool_list_is_weighed_as_compact_json() -> None:
    count, size = programs.tool_list([{"name": "é"}])
    assert (count.value, size.value) == (1, len('[{"name":"é"}]'.encode()))


def test_a_process_that_does_not_do_its_work_gives_no_figure() -> None:
    class Broken:
        class node:  # noqa: N801
            env: ClassVar[dict[str, str]] = {}

            @staticmethod
            def aimem(*_: str) -> list[str]:
                return ["/bin/true"]

    with pytest.raises(programs.ProgramError, match="session-start gave 0"):
        programs.hook_ms(Broken())
    with pytest.raises((programs.ProgramError, BrokenPipeError)):
        programs.shake_hands(Broken())
