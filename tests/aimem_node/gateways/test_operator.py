"""The operator's rooms keep to the same promise: to look is not to start, to ask is not to open."""

import subprocess
import sys

from aimem_node.gateways.operator import cli


def test_looking_at_a_node_loads_nothing_of_what_answers() -> None:
    code = (
        "import sys; from aimem_node.gateways.operator import cli; cli.parser();"
        "sys.exit(any(name.startswith(('apsw', 'grpc', 'aimem_node.store', 'aimem_node.main'))"
        " for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert done.returncode == 0


def test_every_setting_of_the_node_has_a_flag() -> None:
    from dataclasses import fields

    from aimem_node.config import Settings

    said = cli.parser().parse_args(["run"])
    assert all(hasattr(said, one.name) for one in fields(Settings))
