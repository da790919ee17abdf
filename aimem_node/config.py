"""Every setting of a node on one page, and where each may be given.

A later source wins: default, settings file (TOML), environment, command line. A setting that
nobody knows, or a value that does not fit, stops the node at start and names its place.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aimem_node import places
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.formats import check_place
from aimem_node.outbound.reachable import Allowed

ENV_PREFIX = "AIMEM_"
FILE_NAME = "aimem.toml"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORT_MAX = 65_535
MODEL_WORDS = {"onnx": "DIR", "ollama": "MODEL", "openai": "MODEL"}
"""What follows the colon in the settings of models."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one node runs."""

    data_dir: Path = field(metadata={"help": "Where the store, the key and the access lists are."})
    http: str = field(
        default="",
        metadata={
            "help": "host:port of a loopback address on which HTTP and MCP also listen; "
            "empty for none. Callers need a bearer token."
        },
    )
    http_open: bool = field(
        default=False,
        metadata={"help": "Callers on the loopback address need no token and may read and write."},
    )
    grpc: str = field(
        default="",
        metadata={
            "help": "host:port on which gRPC listens with mutual TLS for pinned certificates; "
            "empty for none."
        },
    )
    peer: str = field(
        default="",
        metadata={
            "help": "host:port on which other members of the cluster are heard; empty until this "
            "node invites or joins, which choose one and remember it."
        },
    )
    advertise: str = field(
        default="",
        metadata={
            "help": "host:port under which other members reach this node, when it is not the "
            "address it listens on."
        },
    )
    name: str = field(
        default="",
        metadata={"help": "What this machine is called in the cluster; its host name when empty."},
    )
    place: str = field(
        default="",
        metadata={
            "help": "Namespace that callers of this machine stand in, which bounds what they see "
            "to what the scopes of memories allow there; empty for no bounds."
        },
    )
    retain_days: int = field(
        default=0,
        metadata={
            "help": "Days for which the text of superseded versions stays in the log once every "
            "member has it; 0 keeps it for ever."
        },
    )
    snapshot_lag_ops: int = field(
        default=20_000,
        metadata={
            "help": "A node that lacks more ops than this takes in a snapshot of another member "
            "instead of the ops one by one; 0 takes one only when it must."
        },
    )
    ready_lag_ops: int = field(
        default=10_000,
        metadata={
            "help": "Ops that this node may lack before readiness says that it is not ready."
        },
    )
    webhook_allow: str = field(
        default="",
        metadata={
            "help": "Networks and hosts, joined by commas, that webhooks may call besides public "
            "addresses: 10.1.0.0/16,hooks.example.internal; empty for none."
        },
    )
    embedder: str = field(
        default="auto",
        metadata={
            "help": "The model that turns texts into vectors: auto (minilm if installed, else "
            "off), off, minilm, onnx:DIR, ollama:MODEL or openai:MODEL. See semantic.md."
        },
    )
    embedder_url: str = field(
        default="",
        metadata={
            "help": "Where the server of an ollama: or openai: embedder is, as http://host:port "
            "with any path that comes before /api or /v1. Empty: Ollama's usual port on this "
            "machine."
        },
    )
    embedder_key_file: str = field(
        default="",
        metadata={"help": "File with the key that the embedder's server asks for; empty for none."},
    )
    embed_threads: int = field(
        default=1, metadata={"help": "Processor cores that a model run by this node may use."}
    )
    rerank: str = field(
        default="off",
        metadata={
            "help": "How recall reads its best hits again when the caller does not say: off, "
            "tokens (with the embedder's own token vectors) or onnx:DIR (with a cross-encoder)."
        },
    )
    llm: str = field(
        default="off",
        metadata={
            "help": "A language model that recall may ask for other words and for an order, where "
            "the caller wants it: off, ollama:MODEL or openai:MODEL."
        },
    )
    llm_url: str = field(
        default="", metadata={"help": "Where the language model's server is, as for embedder_url."}
    )
    llm_key_file: str = field(
        default="",
        metadata={"help": "File with the key that the language model's server asks for."},
    )
    log_level: str = field(default="info", metadata={"help": "debug, info, warning or error."})
    log_json: bool = field(
        default=False, metadata={"help": "Write the log as JSON, one object a line."}
    )
    readers: int = field(
        default=4, metadata={"help": "Threads that answer reads, each with its own connection."}
    )

    def __post_init__(self) -> None:
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise _bad("log_level", f"{self.log_level!r} is not debug, info, warning or error")
        if not 1 <= self.readers <= 64:
            raise _bad("readers", "it must be from 1 to 64")
        if not 0 <= self.retain_days <= 36_500:
            raise _bad("retain_days", "it must be from 0 to 36500")
        if not 0 <= self.snapshot_lag_ops <= 1_000_000_000:
            raise _bad("snapshot_lag_ops", "it must be from 0 to 1000000000")
        if not 1 <= self.ready_lag_ops <= 1_000_000_000:
            raise _bad("ready_lag_ops", "it must be from 1 to 1000000000")
        if not 1 <= self.embed_threads <= 64:
            raise _bad("embed_threads", "it must be from 1 to 64")
        _check_models(self)
        try:
            self.webhooks_allowed()
        except Failure as failure:
            raise _bad("webhook_allow", failure.message) from None
        if len(self.name.encode()) > 64 or not self.name.isprintable():
            raise _bad("name", "it must be at most 64 bytes of printable text")
        if self.place:
            try:
                check_place(self.place)
            except Failure as failure:
                raise _bad("place", f"{self.place!r} {failure.message}") from None
        for name in ("http", "grpc", "peer", "advertise"):
            if getattr(self, name):
                split_address(name, getattr(self, name))
        if self.http and split_address("http", self.http)[0] not in LOOPBACK:
            raise _bad(
                "http",
                f"{self.http!r} is not a loopback address, and there is no plaintext beyond one",
            )

    def webhooks_allowed(self) -> Allowed:
        """What webhooks may call besides public addresses. Raises INVALID_ARGUMENT."""
        return Allowed.parse(one.strip() for one in self.webhook_allow.split(",") if one.strip())


def _check_models(settings: Settings) -> None:
    """Refuse a model that nobody could load, and a server that no address leads to."""
    for name, words, kinds in (
        ("embedder", ("auto", "off", "minilm"), ("onnx", "ollama", "openai")),
        ("rerank", ("off", "tokens"), ("onnx",)),
        ("llm", ("off",), ("ollama", "openai")),
    ):
        text: str = getattr(settings, name)
        kind, _, which = text.partition(":")
        if text not in words and not (kind in kinds and which.strip()):
            known = (*words, *(f"{one}:{MODEL_WORDS[one]}" for one in kinds))
            raise _bad(name, f"{text!r} is none of {', '.join(known)}")
        url_name = f"{name}_url"
        if kind == "openai" and not getattr(settings, url_name):
            raise _bad(url_name, f"{text!r} needs the address of its server; there is no usual one")
    for name in ("embedder_url", "llm_url"):
        check_url(name, getattr(settings, name))


def check_url(name: str, text: str) -> None:
    """Refuse what is no http or https address. Raises INVALID_ARGUMENT naming the setting."""
    if not text:
        return
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_address = is_address and (parts.port is None or parts.port > 0)
    except ValueError:
        is_address = False
    if not is_address or not text.isascii() or not text.isprintable() or " " in text:
        raise _bad(name, f"{text!r} is not http://host:port or https://host:port")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _bad(name, "it may have no user, password or query; a key belongs into a file")


def split_address(name: str, text: str) -> tuple[str, int]:
    """Host and port of host:port. Raises INVALID_ARGUMENT naming the setting."""
    host, colon, port = text.rpartition(":")
    whole = port.isascii() and port.isdigit()
    if not colon or not host or not whole or int(port) > PORT_MAX:
        raise _bad(name, f"{text!r} is not host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def load(given: Mapping[str, Any], env: Mapping[str, str] | None = None) -> Settings:
    """The settings from all sources. `given` is the command line's; None there means absent."""
    env = os.environ if env is None else env
    data_dir = Path(given.get("data_dir") or places.default_data_dir(dict(env))).expanduser()
    settings = Settings(data_dir=data_dir.absolute())
    named = given.get("config") or env.get(ENV_PREFIX + "CONFIG")
    file = Path(named) if named else settings.data_dir / FILE_NAME
    if named or file.exists():
        settings = _with(settings, _read_file(file), f"{file}: ")
    from_env = {
        one.name: env[ENV_PREFIX + one.name.upper()]
        for one in fields(Settings)
        if one.name != "data_dir" and ENV_PREFIX + one.name.upper() in env
    }
    settings = _with(settings, from_env, "environment: " + ENV_PREFIX)
    return _with(settings, {k: v for k, v in given.items() if v is not None}, "command line: ")


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Failure(
            Code.INVALID_ARGUMENT, f"there is no settings file {file}", path="config",
            next="Name an existing file, or none.",
        ) from None  # fmt: skip
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Failure(
            Code.INVALID_ARGUMENT, f"{file}: {error}", path="config", next="Mend that line."
        ) from None


def _with(settings: Settings, values: Mapping[str, Any], where: str) -> Settings:
    kinds = {one.name: type(getattr(settings, one.name)) for one in fields(Settings)}
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if name in ("data_dir", "config"):
            continue
        if name not in kinds:
            raise Failure(
                Code.INVALID_ARGUMENT, f"{where}{name}: there is no such setting", path=name,
                next="Known settings: " + ", ".join(sorted(kinds)) + ".",
            )  # fmt: skip
        changed[name] = _as(kinds[name], name, value)
    return replace(settings, **changed) if changed else settings


def _as(kind: type, name: str, value: Any) -> Any:
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    if isinstance(value, str) and kind is bool and value.lower() in ("1", "true", "yes", "on"):
        return True
    if isinstance(value, str) and kind is bool and value.lower() in ("0", "false", "no", "off", ""):
        return False
    if isinstance(value, str) and kind is int and value.isascii() and value.isdigit():
        return int(value)
    raise _bad(name, f"{value!r} is not a {kind.__name__}")


def _bad(name: str, message: str) -> Failure:
    return Failure(
        Code.INVALID_ARGUMENT, f"setting {name}: {message}", path=name,
        next="Mend it where it is given: command line, environment or settings file.",
    )  # fmt: skip


def settings_markdown() -> str:
    """docs/settings.md, made from this page."""
    lines = [
        "# Settings",
        "",
        "Made from `aimem_node/config.py` by `make docs`. A later source wins: default, settings",
        "file, environment, command line.",
        "",
        "| Setting | Environment | Command line | Default | Meaning |",
        "|---|---|---|---|---|",
    ]
    for one in fields(Settings):
        default = "see running.md" if one.name == "data_dir" else repr(one.default)
        env = ENV_PREFIX + one.name.upper()
        flag = "--" + one.name.replace("_", "-")
        lines.append(
            f"| `{one.name}` | `{env}` | `{flag}` | `{default}` | {one.metadata['help']} |"
        )
    return "\n".join(lines) + "\n"
