"""Turn field values into an HTTP request, as the contract's annotations say.

Path parameters go into the path; with a body the rest goes there as JSON; without one it goes
into the query. The fields of WriteOptions are one level down, under "options".
"""

from __future__ import annotations

import json

from aimem_node.gateways.cli.failures import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def quote(text: str) -> str:
    """Percent-encode all but unreserved characters (urllib.parse would cost 5 ms to import)."""
    raw = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw)


def nested(operation: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The request as a JSON object, with options where the contract has them."""
    own = {field["name"] for field in operation["fields"] if not field.get("in_options")}
    options = {field["name"] for field in operation["fields"] if field.get("in_options")} - own
    request: dict[str, Any] = {}
    for name, value in values.items():
        if name in options:
            request.setdefault("options", {})[name] = value
        else:
            request[name] = value
    return request


def build(operation: dict[str, Any], values: dict[str, Any]) -> tuple[str, str, bytes | None]:
    """Method, path with query, and body (None when there is none)."""
    http = operation["http"]
    request = nested(operation, values)
    path = str(http["path"])
    pieces = path.split("{")
    filled = pieces[0]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}")
        value = str(request.pop(name, ""))
        if not value.strip():
            raise usage(f"{name} must not be blank", path=f"$.{name}")
        filled += quote(value) + rest
    if http.get("body"):
        body = json.dumps(request, ensure_ascii=False, separators=(",", ":"))
        return http["method"], filled, body.encode("utf-8", "surrogatepass")
    query = "&".join(_pairs("", request))
    return http["method"], f"{filled}?{query}" if query else filled, None


def _pairs(prefix: str, request: dict[str, Any]) -> list[str]:
    pairs: list[str] = []
    for name, value in request.items():
        if isinstance(value, dict) and name == "options":
            pairs.extend(_pairs("options.", value))
            continue
        items = value if isinstance(value, list) else [value]
        pairs += [f"{quote(prefix + name)}={quote(_text(item))}" for item in items]
    return pairs


def _text(item: Any) -> str:
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
