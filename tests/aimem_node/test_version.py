"""One version, wherever it is read."""

import tomllib
from pathlib import Path

from aimem_node.version import VERSION

ROOT = Path(__file__).resolve().parents[2]


def test_the_program_says_the_version_that_is_installed() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["project"]["version"] == VERSION
