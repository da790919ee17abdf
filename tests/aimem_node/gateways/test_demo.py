"""The demo's own parts; its whole run is proved by `make demo` itself, which fails when it lies."""

import os
import subprocess
import sys

from aimem_node.gateways.demo import conversation

SAMPLE = conversation.load(conversation.SAMPLE)[0]


def test_the_demo_refuses_a_named_file_that_is_not_there() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "aimem_node.gateways.demo"],
        env={**os.environ, conversation.DATA_ENV: "/nowhere/at/all.json"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "/nowhere/at/all.json" in ran.stderr
