"""Settings: who wins, and what stops a node."""

from pathlib import Path

import pytest

from aimem_node.config import Settings, load, settings_markdown, split_address
from aimem_node.contract.errors import Code, Failure


def env(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"AIMEM_DATA_DIR": str(tmp_path), **more}


def refused(given: dict, environment: dict[str, str]) -> Failure:
    with pytest.raises(Failure) as caught:
        load(given, environment)
    assert caught.value.code == Code.INVALID_ARGUMENT
    assert caught.value.next
    return caught.value


def test_a_later_source_wins(tmp_path: Path) -> None:
    (tmp_path / "aimem.toml").write_text('readers = 2\nlog_level = "debug"\nhttp_open = true\n')
    settings = load({"readers": "6"}, env(tmp_path, AIMEM_READERS="5", AIMEM_LOG_LEVEL="error"))
    assert (settings.readers, settings.log_level, settings.http_open) == (6, "error", True)


def test_without_any_source_a_node_listens_on_no_network(tmp_path: Path) -> None:
    settings = load({}, env(tmp_path))
    assert (settings.http, settings.grpc, settings.http_open) == ("", "", False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("http", "0.0.0.0:9077"),
        ("http", "192.168.1.5:9077"),
        ("http", "localhost"),
        ("grpc", "somewhere:http"),
        ("grpc", ":99999"),
        ("place", "a//b"),
        ("place", "_messages/ann"),
        ("place", " a"),
        ("log_level", "loud"),
        ("readers", "many"),
        ("readers", "0"),
        ("http_open", "perhaps"),
        ("embedder", "minilml"),
        ("embedder", "onnx"),
        ("embedder", "onnx: "),
        ("embedder", "cohere:embed"),
        ("embedder_url", "localhost:11434"),
        ("embedder_url", "ftp://localhost"),
        ("embedder_url", "http://"),
        ("embedder_url", "http://host:99999"),
        ("embedder_url", "http://ann:secret@host"),
        ("embedder_url", "http://host?key=secret"),
        ("llm_url", "http://a b"),
        ("embed_threads", "0"),
        ("rerank", "llm"),
        ("rerank", "ollama:x"),
        ("llm", "onnx:dir"),
        ("llm", "auto"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, name: str, value: str
) -> None:
    assert refused({name: value}, env(tmp_path)).path == name


@pytest.mark.parametrize(
    "value", ["auto", "off", "minilm", "onnx:models/e5", "ollama:nomic-embed-text:v1.5"]
)
def test_an_embedder_is_named_by_one_word_or_by_its_kind_and_name(
    tmp_path: Path, value: str
) -> None:
    assert load({"embedder": value}, env(tmp_path)).embedder == value


def test_a_server_that_could_be_anywhere_needs_an_address(tmp_path: Path) -> None:
    assert refused({"embedder": "openai:small"}, env(tmp_path)).path == "embedder_url"
    assert refused({"llm": "openai:small"}, env(tmp_path)).path == "llm_url"
    given = {"embedder": "openai:small", "embedder_url": "https://models.example:8443/base"}
    assert load(given, env(tmp_path)).embedder_url == given["embedder_url"]


def test_a_url_with_a_password_is_refused_without_repeating_it(tmp_path: Path) -> None:
    failure = refused({"embedder_url": "http://ann:secret@host"}, env(tmp_path))
    assert "secret" not in failure.message


def test_plaintext_beyond_loopback_is_refused_whatever_else_is_set(tmp_path: Path) -> None:
    failure = refused({"http": "0.0.0.0:1", "http_open": True}, env(tmp_path))
    assert "plaintext" in failure.message


def test_an_unknown_setting_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "aimem.toml").write_text("reader = 2\n")
    failure = refused({}, env(tmp_path))
    assert "reader" in failure.message
    assert "readers" in failure.next


def test_a_broken_settings_file_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "aimem.toml").write_text("readers = \n")
    assert "line 1" in refused({}, env(tmp_path)).message


def test_a_named_settings_file_must_exist(tmp_path: Path) -> None:
    assert "no settings file" in refused({"config": str(tmp_path / "none")}, env(tmp_path)).message


def test_every_setting_is_documented() -> None:
    text = settings_markdown()
    for name in Settings.__dataclass_fields__:
        assert f"`{name}`" in text


@pytest.mark.parametrize(
    ("text", "address"), [("[::1]:80", ("::1", 80)), ("localhost:0", ("localhost", 0))]
)
def test_an_address_is_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert split_address("http", text) == address


@pytest.mark.parametrize("text", ["localhost", "localhost:²", "localhost:70000", ":80"])
def test_what_is_not_an_address_is_refused_with_its_setting(tmp_path: Path, text: str) -> None:
    assert refused({"http": text}, env(tmp_path)).path == "http"
