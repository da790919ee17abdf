"""The operator's commands on a node's files: identity, pins, tokens, restore.

None of them opens the store of a running node. Each returns what it did as a plain object,
which the operator's command line prints for people or as JSON.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from aimem_node.clocks import SystemChance, SystemClock
from aimem_node.config import ENV_PREFIX, Settings, load, settings_markdown
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.replica.identity import Identity
from aimem_node.rpc import access_edit
from aimem_node.rpc.access import read_access
from aimem_node.store.backup import restore


def run(command: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Do one command. Raises Failure with what to do next."""
    known = COMMANDS.get(command)
    if known is None:
        raise Failure(Code.UNIMPLEMENTED, f"there is no command {command!r}")
    settings = load({"data_dir": given.get("data_dir")})
    return known(settings.data_dir, given)


def _identity(data_dir: Path, _given: Mapping[str, Any]) -> dict[str, Any]:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    identity = Identity.load_or_create(str(data_dir), SystemChance())
    return {
        "node_id": identity.node_id,
        "fingerprint": identity.fingerprint,
        "certificate": identity.cert_pem.decode("ascii"),
    }


def _pin_add(data_dir: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    file = Path(given["certificate"])
    try:
        pem = file.read_bytes()
    except OSError as error:
        raise Failure(
            Code.INVALID_ARGUMENT, f"{file}: {error.strerror}", path="certificate",
            next="Name the other machine's node.crt.",
        ) from None  # fmt: skip
    place = given.get("place") or ""
    added = access_edit.add_pin(str(data_dir), pem, given["name"], _role(given), place)
    return {"fingerprint": added, "place": place, "sees": _sees(place)}


def _pin_remove(data_dir: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"removed": list(access_edit.remove_pin(str(data_dir), given["name"]))}


def _pin_list(data_dir: Path, _given: Mapping[str, Any]) -> dict[str, Any]:
    pins = read_access(str(data_dir)).pins
    return {
        "pins": [
            {
                "fingerprint": fingerprint,
                "name": pin.name,
                "role": pin.role.value,
                "place": pin.place,
            }
            for fingerprint, pin in sorted(pins.items())
        ]
    }


def _token_create(data_dir: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    days = given.get("days")
    expires_us = None if days is None else SystemClock().now_us() + int(days) * 86_400_000_000
    made = access_edit.create_token(
        str(data_dir),
        given["name"],
        _role(given),
        given.get("agent") or "*",
        expires_us=expires_us,
        place=given.get("place") or "",
    )
    place = given.get("place") or ""
    return {"name": given["name"], "token": made, "place": place, "sees": _sees(place)}


def _sees(place: str) -> str:
    if not place:
        return "everything: it was given no place"
    return f"what the scopes of memories let someone see who stands in {place}"


def _token_revoke(data_dir: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"revoked": access_edit.revoke_token(str(data_dir), given["name"]).name}


def _token_list(data_dir: Path, _given: Mapping[str, Any]) -> dict[str, Any]:
    tokens = read_access(str(data_dir)).tokens
    return {
        "tokens": [
            {
                "name": token.name,
                "role": token.role.value,
                "agent": token.agent_pattern,
                "expires_us": token.expires_us,
                "place": token.place,
            }
            for token in sorted(tokens.values(), key=lambda token: token.name)
        ]
    }


def _role(given: Mapping[str, Any]) -> Role:
    word = given.get("role") or Role.WRITER.value
    if word not in list(Role):
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"{word!r} is no role",
            path="role",
            next="Roles: " + ", ".join(Role) + ".",
        )
    return Role(word)


def _restore(data_dir: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    return dict(restore(Path(given["from"]), data_dir, SystemClock().now_us()))


def _settings(data_dir: Path, _given: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting with what a node started here and now would take for it."""
    inforce = load({"data_dir": str(data_dir)})
    page = [
        {
            "name": one.name,
            "value": str(value) if isinstance(value := getattr(inforce, one.name), Path) else value,
            "flag": "--" + one.name.replace("_", "-"),
            "environment": ENV_PREFIX + one.name.upper(),
            "help": one.metadata["help"],
        }
        for one in fields(Settings)
    ]
    file = os.environ.get(ENV_PREFIX + "CONFIG") or str(data_dir / "aimem.toml")
    return {"settings": page, "file": file, "markdown": settings_markdown()}


COMMANDS: Mapping[str, Callable[[Path, Mapping[str, Any]], dict[str, Any]]] = {
    "identity": _identity,
    "pin-add": _pin_add,
    "pin-remove": _pin_remove,
    "pin-list": _pin_list,
    "token-create": _token_create,
    "token-revoke": _token_revoke,
    "token-list": _token_list,
    "restore": _restore,
    "settings": _settings,
}
