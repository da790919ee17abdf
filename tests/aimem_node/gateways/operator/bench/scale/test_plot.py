"""The picture of the growth."""

import builtins
from pathlib import Path
from typing import Any

import pytest

from aimem_node.gateways.operator.bench.figures import timed
from aimem_node.gateways.operator.bench.scale import plot
from aimem_node.gateways.operator.bench.scale.page import Sized


def measured() -> list[Sized]:
    return [
        Sized(size, {}, {}, tuple(timed(what, [ms], None) for what, *_ in plot.LINES))
        for size, ms in ((1_000, 3.0), (100_000, 20.0))
    ]


def test_a_picture_is_drawn_in_the_format_that_its_name_says(tmp_path: Path) -> None:
    target = tmp_path / "growth.png"
    plot.draw(measured(), target)
    assert target.read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = builtins.__import__

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return known(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(plot.NoPlot, match=r"pip install 'aimem-node\[bench\]'"):
        plot.draw(measured(), tmp_path / "growth.png")
