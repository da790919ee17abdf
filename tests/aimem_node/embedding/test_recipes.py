"""Settings to models: what cannot work is said with what would, and nothing is loaded for it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aimem_node.config import Settings
from aimem_node.contract.errors import Failure
from aimem_node.embedding import minilm, recipes
from aimem_node.embedding.embedder import Unavailable
from aimem_node.embedding.recipes import embedding_of, recipe_of


def settings(tmp_path: Path, **given: Any) -> Settings:
    return Settings(**{"data_dir": tmp_path, **given})


def not_installed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    known = recipes.importlib.util.find_spec
    fake = SimpleNamespace(find_spec=lambda name: None if name in names else known(name))
    monkeypatch.setattr(recipes.importlib, "util", fake)


def test_auto_is_minilm_where_it_is_installed(tmp_path: Path, package: Path) -> None:
    recipe = recipe_of(settings(tmp_path), "auto")
    assert (recipe.name, recipe.space) == ("minilm", None)
    assert recipe.load is not None


def test_auto_is_off_where_anything_is_missing_and_says_what_to_install(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_installed(monkeypatch, "onnxruntime")
    status = embedding_of(settings(tmp_path)).status()
    assert (status.state, status.next) == ("off", minilm.INSTALL)
    assert "by their words" in status.why
    monkeypatch.undo()
    monkeypatch.setattr(minilm, "files", lambda: None)
    assert embedding_of(settings(tmp_path)).status().state == "off"


def test_minilm_by_name_is_not_silently_off(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_installed(monkeypatch, "tokenizers")
    load = recipe_of(settings(tmp_path), "minilm").load
    assert load is not None
    with pytest.raises(Unavailable, match="tokenizers is not installed") as caught:
        load(print)
    assert "aimem-node[semantic]" in caught.value.next


def test_a_model_seen_before_is_known_without_loading_it(tmp_path: Path, package: Path) -> None:
    recipe = recipe_of(settings(tmp_path), "minilm")
    assert recipe.load is not None
    space = recipe.load(lambda _line: None).space
    assert recipe_of(settings(tmp_path), "minilm").space == space
    assert embedding_of(settings(tmp_path, embedder="minilm")).spaces() == (space,)


def test_off_is_off(tmp_path: Path) -> None:
    status = embedding_of(settings(tmp_path, embedder="off")).status()
    assert (status.state, status.why) == ("off", "no embedder is configured")


def test_a_server_and_a_directory_are_not_touched_before_they_are_needed(tmp_path: Path) -> None:
    for name, url in (
        ("ollama:m", ""), ("openai:m", "http://127.0.0.1:9"), (f"onnx:{tmp_path}/none", ""),
    ):  # fmt: skip
        given = settings(tmp_path, embedder=name, embedder_url=url)
        recipe = recipe_of(given, name)
        assert (recipe.name, recipe.space) == (name, None)
        assert embedding_of(given).status().state == "cold"


def test_a_key_that_cannot_be_read_is_refused_with_its_setting(tmp_path: Path) -> None:
    for name, given in (
        ("embedder_key_file", {"embedder": "ollama:m", "embedder_key_file": str(tmp_path / "k")}),
        ("llm_key_file", {"embedder": "off", "llm": "ollama:m", "llm_key_file": str(tmp_path)}),
    ):
        with pytest.raises(Failure, match="cannot be read") as caught:
            embedding_of(settings(tmp_path, **given))
        assert caught.value.path == name


def test_a_key_is_read_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "k").write_text("secret\n")
    assert recipes.key_in("embedder_key_file", str(tmp_path / "k")) == "secret"
    assert recipes.key_in("embedder_key_file", "") == ""


def test_what_recall_reads_again_with_comes_from_the_settings(tmp_path: Path) -> None:
    for given, means in (("off", "off"), ("tokens", "tokens"), ("onnx:/m", "cross")):
        assert embedding_of(settings(tmp_path, embedder="off", rerank=given)).rerank_by == means
