"""The configurations that we ship, read as what will read them: nothing may only look right.

No container and no service is started here, so each file is checked against what it relies on: the
settings page, the command-line parser, the exit codes, and the files that are really there.
"""

import configparser
import importlib.util
import json
import re
import shlex
import socket
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from aimem_node import config, places
from aimem_node.contract.errors import SIGNS, Code
from aimem_node.gateways.cli.fast import COMMANDS
from aimem_node.gateways.operator.cli import parser
from tests.test_docs import subcommands

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "cluster-configs"
SETTINGS = {one.name for one in fields(config.Settings)}
UNITS = sorted(CONFIGS.rglob("*.service"))
DOCKERFILE = CONFIGS / "compose/Dockerfile"
READMES = sorted(CONFIGS.rglob("README.md"))
SURFACE = json.loads((ROOT / "aimem_node/contract/made/surface.json").read_text(encoding="utf-8"))
DEFAULT_PORTS = {7740, 7741}
"""Where members, and joining machines, are heard when nobody says otherwise."""


def said_of(file: Path) -> str:
    return file.relative_to(CONFIGS).as_posix()


def settings_of(file: Path) -> config.Settings:
    return config.load({"data_dir": "anywhere", "config": str(file)}, {})


def port_of(address: str) -> int:
    return config.split_address("peer", address)[1]


def parse(words: list[str]) -> Any:
    """What the operator's command makes of these words. Fails if it would not take them."""
    try:
        return parser().parse_args(words)
    except SystemExit:
        pytest.fail(f"aimem-node does not take: {' '.join(words)}")


def check_environment(env: dict[str, str]) -> None:
    """Every variable is one that a node knows, with a value that it takes."""
    given = {name.removeprefix("AIMEM_").lower() for name in env}
    assert all(name.startswith("AIMEM_") for name in env)
    assert given - SETTINGS <= {"runtime_dir"}
    config.load({"data_dir": env.get("AIMEM_DATA_DIR", "anywhere")}, env)


# ---- settings files ------------------------------------------------------------------------------


def test_there_is_a_configuration_for_each_way_to_run() -> None:
    here = {path.name for path in CONFIGS.iterdir() if path.is_dir()}
    assert here == {"single", "loopback-3", "lan-3", "wan-5", "systemd", "compose"}
    readme = (CONFIGS / "README.md").read_text(encoding="utf-8")
    assert all(f"({name}/" in readme for name in here)


def test_the_three_nodes_on_one_machine_get_in_nobodys_way() -> None:
    found = {name: settings_of(CONFIGS / f"loopback-3/{name}.toml") for name in "abc"}
    assert {name: one.name for name, one in found.items()} == {"a": "a", "b": "b", "c": "c"}
    ports: list[int] = []
    for one in found.values():
        assert one.peer.startswith("127.0.0.1:")
        assert one.http.startswith("127.0.0.1:")
        # The port above a node's own is where it hears whom it has invited.
        ports += [port_of(one.peer), port_of(one.peer) + 1, port_of(one.http)]
    assert len(set(ports)) == len(ports)
    assert not DEFAULT_PORTS & set(ports), "the user's own node may be running"


@pytest.mark.parametrize("name", ["lan-3", "wan-5"])
def test_a_machine_of_a_cluster_listens_where_the_pages_say(name: str) -> None:
    found = settings_of(CONFIGS / name / "aimem.toml")
    assert config.split_address("peer", found.peer) == ("0.0.0.0", min(DEFAULT_PORTS))


def test_far_machines_say_under_which_address_they_are_found() -> None:
    found = settings_of(CONFIGS / "wan-5/aimem.toml")
    assert found.advertise
    assert found.name in found.advertise


@pytest.mark.parametrize("file", sorted(CONFIGS.rglob("*.toml")), ids=said_of)
def test_a_settings_file_sets_nothing_twice_when_all_of_it_is_switched_on(file: Path) -> None:
    text = re.sub(r"^# (?=\w+ = )", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    tomllib.loads(text)


# ---- systemd -------------------------------------------------------------------------------------


def unit(file: Path) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None, comment_prefixes=("#",), strict=True)
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read(file, encoding="utf-8")
    return found


def test_there_is_a_unit_for_a_user_and_one_for_the_machine() -> None:
    wanted = {unit(file)["Install"]["WantedBy"] for file in UNITS}
    assert wanted == {"default.target", "multi-user.target"}


@pytest.mark.parametrize("file", UNITS, ids=said_of)
def test_a_unit_starts_what_there_is(file: Path) -> None:
    words = shlex.split(unit(file)["Service"]["ExecStart"])
    assert Path(words[0]).name == "aimem-node"
    assert parse(words[1:]).act.__name__ == "_run"
    for script in shlex.split(unit(file)["Service"].get("ExecStartPost", "")):
        for called in re.findall(r"/aimem-node ([a-z -]+?) *(?:[;>|]|$)", script):
            parse(called.split())


@pytest.mark.parametrize("file", UNITS, ids=said_of)
def test_a_unit_starts_again_what_a_start_can_mend_and_nothing_else(file: Path) -> None:
    from aimem_node.main import EXIT_FAILED

    service = unit(file)["Service"]
    assert service["Restart"] == "on-failure"
    hopeless = {int(code) for code in service["RestartPreventExitStatus"].split()}
    assert EXIT_FAILED not in hopeless
    wrong = (Code.INVALID_ARGUMENT, Code.PERMISSION_DENIED, Code.CORRUPT)
    assert hopeless == {SIGNS[code].exit for code in wrong}


@pytest.mark.parametrize("file", UNITS, ids=said_of)
def test_a_unit_gives_up_no_right_twice_and_keeps_none_it_does_not_need(file: Path) -> None:
    service = unit(file)["Service"]
    assert service["NoNewPrivileges"] == "yes"
    assert service["UMask"] == "0077"
    assert set(service["RestrictAddressFamilies"].split()) == {"AF_UNIX", "AF_INET", "AF_INET6"}


def test_the_machine_s_unit_may_write_where_its_node_writes() -> None:
    service = unit(CONFIGS / "systemd/aimem-node.service")["Service"]
    env = dict(word.split("=", 1) for word in shlex.split(service["Environment"]))
    check_environment(env)
    assert service["ProtectSystem"] == "strict"
    assert env[places.DATA_DIR_ENV] == f"/var/lib/{service['StateDirectory']}"
    assert env[places.RUNTIME_DIR_ENV] == f"/run/{service['RuntimeDirectory']}"
    assert service["StateDirectoryMode"] == service["RuntimeDirectoryMode"] == "0700"
    assert service["User"] != "root"


# ---- containers ----------------------------------------------------------------------------------


def read_yaml(text: str) -> dict[str, Any]:
    """The little of YAML that our file uses: mappings, lists of scalars, anchors, `<<`.

    Anything else fails here, so that nothing can be read otherwise than compose reads it.
    """
    anchors: dict[str, Any] = {}
    top: dict[str, Any] = {}
    open_ones: list[tuple[int, Any]] = [(0, top)]
    lines = [
        (len(line) - len(line.lstrip()), line.strip())
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    for at, (indent, said) in enumerate(lines):
        while open_ones[-1][0] > indent:
            open_ones.pop()
        assert open_ones[-1][0] == indent, f"indented otherwise than what is above it: {said}"
        here = open_ones[-1][1]
        if isinstance(here, list):
            assert said.startswith("- "), f"no item: {said}"
            here.append(said[2:].strip())
            continue
        found = re.fullmatch(r"([\w<-]+):(?: (.*))?", said)
        assert found, f"neither key nor item: {said}"
        key, value = found[1], found[2] or ""
        assert key not in here, f"{key} stands twice"
        assert not re.search(r"[\[\]{}|>\"']|: | #", value), f"too much YAML: {said}"
        if key == "<<":
            here.update(
                {k: v for k, v in anchors[value.removeprefix("*")].items() if k not in here}
            )
        elif value and not value.startswith("&"):
            here[key] = value
        else:
            below = lines[at + 1] if at + 1 < len(lines) else (0, "")
            here[key] = [] if below[1].startswith("- ") else {}
            if below[0] > indent:
                open_ones.append((below[0], here[key]))
            else:
                here[key] = None
            if value:
                anchors[value.removeprefix("&")] = here[key]
    return top


def test_the_reader_reads_what_compose_would_read() -> None:
    text = "x: &one\n  a: 1\n  b:\n    - p\n    - q:r\ny:\n  z:\n    <<: *one\n    c: 2\nv:\n  e:\n"
    one = {"a": "1", "b": ["p", "q:r"]}
    assert read_yaml(text) == {"x": one, "y": {"z": {**one, "c": "2"}}, "v": {"e": None}}


def compose() -> dict[str, Any]:
    return read_yaml((CONFIGS / "compose/compose.yaml").read_text(encoding="utf-8"))


def instructions(name: str) -> list[str]:
    """What the Dockerfile says after this word, continued lines joined."""
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(rf"^{name} +(.+)$", text, re.MULTILINE)


def image_environment() -> dict[str, str]:
    return dict(word.split("=", 1) for said in instructions("ENV") for word in said.split())


def test_each_container_is_a_node_with_a_name_an_address_and_a_volume_of_its_own() -> None:
    found = compose()
    assert set(found["services"]) == set(found["volumes"]) == {"a", "b", "c"}
    for name, service in found["services"].items():
        env = {**image_environment(), **service["environment"]}
        check_environment(env)
        assert env["AIMEM_NAME"] == service["hostname"] == name
        assert env["AIMEM_ADVERTISE"] == f"{name}:{port_of(env['AIMEM_PEER'])}"
        assert service["volumes"] == [f"{name}:{env['AIMEM_DATA_DIR']}"]


def test_each_container_can_write_its_volume_and_its_sockets_alone() -> None:
    ids = set(re.findall(r"--[ug]id (\d+)", " ".join(instructions("RUN"))))
    for service in compose()["services"].values():
        assert service["read_only"] == "true"
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        sockets = next(one for one in service["tmpfs"] if one.startswith("/run"))
        where, _, how = sockets.partition(":")
        assert where == image_environment()["AIMEM_RUNTIME_DIR"]
        assert set(re.findall(r"[ug]id=(\d+)", how)) == ids
        assert how.endswith("mode=0700")


def test_compose_builds_the_image_from_files_that_are_there() -> None:
    for service in compose()["services"].values():
        context = (CONFIGS / "compose" / service["build"]["context"]).resolve()
        assert context == ROOT
        assert context / service["build"]["dockerfile"] == DOCKERFILE


def test_the_image_copies_all_that_an_installation_reads() -> None:
    copied = {word for said in instructions("COPY") for word in said.split()[:-1]}
    assert all((ROOT / name).exists() for name in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    wanted = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    assert copied == wanted | {name.removesuffix("*") for name in packages}
    ignored = (CONFIGS / "compose/Dockerfile.dockerignore").read_text(encoding="utf-8").split("\n")
    assert copied == {line.removeprefix("!") for line in ignored if line.startswith("!")}
    extras = set(re.findall(r"'\.\[(\w+)\]'", " ".join(instructions("RUN"))))
    assert extras <= set(project["project"]["optional-dependencies"])


def test_the_image_runs_a_node_and_asks_it_how_it_is_as_nobody_special() -> None:
    (command,), (user,) = instructions("CMD"), instructions("USER")
    words = json.loads(command)
    assert words[0] == "aimem-node"
    assert parse(words[1:]).act.__name__ == "_run"
    (health,) = instructions("HEALTHCHECK")
    probe = json.loads(health[health.index("[") :])
    assert probe[0] == "aimem-node"
    parse(probe[1:])
    assert user not in ("root", "0")
    base = re.fullmatch(r"python:(\d+)\.(\d+)-slim", instructions("FROM")[0])
    assert base is not None
    assert (int(base[1]), int(base[2])) >= (3, 11)
    assert {int(port) for port in instructions("EXPOSE")[0].split()} == DEFAULT_PORTS


# ---- what the pages say --------------------------------------------------------------------------


def typed(program: str) -> Iterator[tuple[str, list[str]]]:
    """Every use of a program in the pages, in a container and as another user too."""
    code = re.compile(r"```sh\n(.*?)```|`([^`\n]+)`", re.DOTALL)
    for page in [*READMES, *UNITS]:
        text = page.read_text(encoding="utf-8")
        for block, inline in code.findall(text.replace("\\\n", " ")):
            for line in (block or inline).splitlines():
                said = line.split(" #")[0].strip()
                found = re.search(rf"(?:^|/bin/|exec \w+ ){program} ([a-z-].*)", said)
                if found and "pip install" not in line:
                    yield page.parent.name, found[1].split()


def test_every_operator_s_command_in_the_pages_would_be_taken() -> None:
    found = list(typed("aimem-node"))
    assert len(found) >= 10
    for page, words in found:
        here, rest = parser(), list(words)
        while rest and rest[0] in (below := subcommands(here)):
            here = below[rest.pop(0)]
        assert not subcommands(here), f"{page}: aimem-node {' '.join(words)}"
        flags = {word.split("=")[0] for word in rest if word.startswith("--")}
        assert flags <= {*here._option_string_actions}, f"{page}: aimem-node {' '.join(words)}"


def test_every_caller_s_command_in_the_pages_exists() -> None:
    known = {*SURFACE["operations"], *SURFACE["aliases"], *COMMANDS}
    found = list(typed("aimem"))
    assert len(found) >= 5
    for page, words in found:
        while words and words[0].startswith("--"):
            words = words[2:]
        assert words, page
        assert words[0] in known, f"{page}: aimem {' '.join(words)}"
        said = SURFACE["operations"].get(words[0], {"fields": []})
        flags = {"--" + one["name"].replace("_", "-") for one in said["fields"]}
        assert {word for word in words if word.startswith("--")} <= flags


# ---- make cluster --------------------------------------------------------------------------------


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script behind `make cluster`, without a node behind it."""
    for name in ("AIMEM_PEER", "AIMEM_HTTP", "AIMEM_GRPC", "AIMEM_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    file = CONFIGS / "loopback-3/cluster.py"
    spec = importlib.util.spec_from_file_location("loopback_cluster", file)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, made)
    spec.loader.exec_module(made)
    return made


def place_with(cluster: ModuleType, home: Path, text: str) -> Any:
    home.mkdir()
    place = cluster.Place(home.name, home)
    place.file.write_text(text, encoding="utf-8")
    return place


@pytest.mark.parametrize("name", ["peer", "http"])
def test_a_taken_port_is_named_with_the_setting_that_asks_for_it(
    cluster: ModuleType, tmp_path: Path, name: str
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        address = f"127.0.0.1:{other.getsockname()[1]}"
        place = place_with(cluster, tmp_path / "b", f'{name} = "{address}"\n')
        with pytest.raises(cluster.Trouble, match=address) as caught:
            cluster.check_ports([place])
        assert "node b" in str(caught.value)
        assert f"`{name}`" in caught.value.step
    cluster.check_ports([place])


def test_a_setting_that_cannot_be_read_is_told_with_its_file(
    cluster: ModuleType, tmp_path: Path
) -> None:
    place = place_with(cluster, tmp_path / "a", "peer = 7\n")
    with pytest.raises(cluster.Trouble, match="peer"):
        cluster.check_ports([place])


class Nodes:
    """Three nodes that only say how they stand, and take the operator's commands."""

    def __init__(self) -> None:
        self.clusters = {"a": "A", "b": "B", "c": "C"}
        self.steps = dict.fromkeys("abc", "none")
        self.asked: list[str] = []

    def status(self, place: Any) -> dict[str, Any]:
        mine = self.clusters[place.name]
        members = [{"name": n} for n, one in self.clusters.items() if one == mine]
        count = len(members)
        return {
            "cluster_id": mine, "members": members, "voters": count, "in_sync": count,
            "needed": count // 2 + 1, "progress": {"step": self.steps[place.name]},
        }  # fmt: skip

    def node(self, *words: str, **_: Any) -> str:
        name = Path(words[words.index("--data-dir") + 1]).name
        self.asked.append(f"{words[0]} {name}")
        if words[0] == "join":
            self.clusters[name], self.steps[name] = "A", "voter"
        return json.dumps({"line": "aim1.x.y"}) if words[0] == "invite" else ""


@pytest.fixture
def nodes(cluster: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Nodes:
    made = Nodes()
    monkeypatch.setattr(cluster.Place, "status", lambda place: made.status(place))
    monkeypatch.setattr(cluster.Place, "runs", lambda _place: True)
    monkeypatch.setattr(cluster, "_node", made.node)
    return made


def three(cluster: ModuleType, root: Path) -> list[Any]:
    return [cluster.Place(name, root / name) for name in cluster.NAMES]


def test_a_cluster_is_formed_once_and_found_again(
    cluster: ModuleType, nodes: Nodes, tmp_path: Path
) -> None:
    cluster.bring_up(three(cluster, tmp_path))
    assert nodes.asked == ["invite a", "join b", "invite a", "join c"]
    nodes.asked.clear()
    cluster.bring_up(three(cluster, tmp_path))
    assert nodes.asked == []


def test_a_join_that_was_interrupted_goes_on(
    cluster: ModuleType, nodes: Nodes, tmp_path: Path
) -> None:
    nodes.clusters["b"], nodes.steps["c"] = "A", "catch_up"
    cluster.bring_up(three(cluster, tmp_path))
    assert nodes.asked == ["join c"]


def test_a_node_of_another_cluster_is_left_where_it_is(
    cluster: ModuleType, nodes: Nodes, tmp_path: Path
) -> None:
    nodes.clusters |= {"b": "X", "c": "X"}
    with pytest.raises(cluster.Trouble, match="another cluster"):
        cluster.bring_up(three(cluster, tmp_path))
    assert nodes.asked == []


def test_what_somebody_changed_in_a_data_directory_stays(
    cluster: ModuleType, nodes: Nodes, tmp_path: Path
) -> None:
    place_with(cluster, tmp_path / "b", 'name = "bob"\npeer = "127.0.0.1:7744"\n')
    cluster.bring_up(three(cluster, tmp_path))
    assert "bob" in (tmp_path / "b/aimem.toml").read_text(encoding="utf-8")
    shipped = (CONFIGS / "loopback-3/c.toml").read_text(encoding="utf-8")
    assert (tmp_path / "c/aimem.toml").read_text(encoding="utf-8") == shipped


def test_only_the_three_directories_are_erased(cluster: ModuleType, tmp_path: Path) -> None:
    for name in ("a", "b", "mine"):
        (tmp_path / name).mkdir()
    cluster.remove(three(cluster, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_two_do_not_form_a_cluster_of_the_same_nodes_at_once(
    cluster: ModuleType, tmp_path: Path
) -> None:
    first, second = cluster._alone(tmp_path), cluster._alone(tmp_path)
    with first, pytest.raises(cluster.Trouble, match="another"), second:
        pytest.fail("both are at work")
