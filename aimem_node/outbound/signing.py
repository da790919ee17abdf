"""Sign a delivery so that its receiver can tell it from anybody else's, and from an old one.

The signature covers the time and the delivery's id as well as the body: one over the body alone
could be sent again for ever. A delivery id holds no dot, because the three are joined by dots and
there must be one way to take them apart. docs/webhooks.md tells receivers how to check it.
"""

import hmac
import re
from collections.abc import Mapping
from typing import Final

TIMESTAMP: Final = "X-Aimem-Timestamp"
DELIVERY: Final = "X-Aimem-Delivery"
SIGNATURE: Final = "X-Aimem-Signature"
SCHEME: Final = "v1"
TOLERANCE_S: Final = 300
"""How far the receiver's clock may be from ours, and how long a captured delivery can be replayed
to a receiver that does not remember ids."""
SIGNATURES_MAX: Final = 8
"""In one header. More than one only while a scheme is being replaced."""

_DELIVERY_ID = re.compile(r"[A-Za-z0-9_:-]{1,128}")
_SECONDS = re.compile(r"0|[1-9][0-9]{0,11}")


def sign(secret: bytes, delivery_id: str, body: bytes, now_s: int) -> dict[str, str]:
    """The three headers of a delivery. Each attempt is signed anew, at its own time.

    delivery_id: 1 to 128 of A-Z a-z 0-9 _ : -, the same at every attempt. now_s: since 1970.
    """
    assert secret
    assert _DELIVERY_ID.fullmatch(delivery_id), delivery_id
    timestamp = str(now_s)
    assert _SECONDS.fullmatch(timestamp), timestamp
    return {
        TIMESTAMP: timestamp,
        DELIVERY: delivery_id,
        SIGNATURE: f"{SCHEME}={_mac(secret, timestamp, delivery_id, body)}",
    }


def verify(
    secret: bytes,
    headers: Mapping[str, str],
    body: bytes,
    now_s: int,
    tolerance_s: int = TOLERANCE_S,
) -> bool:
    """Whether the headers sign this body with the secret, and are of now. Never raises.

    Takes the same time whatever the signature says. Names of headers in any case.
    """
    by_name = {name.lower(): text for name, text in headers.items()}
    timestamp = by_name.get(TIMESTAMP.lower(), "")
    delivery_id = by_name.get(DELIVERY.lower(), "")
    if not (_SECONDS.fullmatch(timestamp) and _DELIVERY_ID.fullmatch(delivery_id)):
        return False
    wanted = f"{SCHEME}={_mac(secret, timestamp, delivery_id, body)}".encode()
    given = by_name.get(SIGNATURE.lower(), "").split(",")[:SIGNATURES_MAX]
    # Every one is compared, and by its bytes: compare_digest refuses text beyond ASCII.
    same = [hmac.compare_digest(wanted, one.strip().encode(errors="replace")) for one in given]
    return any(same) and abs(now_s - int(timestamp)) <= tolerance_s


def _mac(secret: bytes, timestamp: str, delivery_id: str, body: bytes) -> str:
    signed = b".".join((timestamp.encode(), delivery_id.encode(), body))
    return hmac.digest(secret, signed, "sha256").hex()
