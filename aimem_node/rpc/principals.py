"""Who is calling: the connection decides, the request only claims.

Everything an operation learns about its caller comes from here, and from facts the caller
cannot choose: the uid behind a unix socket, the key behind a TLS connection, a token's
secret. The agent id in a request is a claim of *which* of the caller's agents speaks; it is
checked against what the caller may say, and never makes anyone somebody else.
"""

import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from aimem_node.clocks import Clock
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.formats import RESERVED_AGENTS
from aimem_node.contract.operations import Role
from aimem_node.rpc.access import Access
from aimem_node.rpc.access_files import PINS_FILE, TOKENS_FILE, Pin, Token

_READER = frozenset({Role.READER})
_WRITER = _READER | {Role.WRITER}
_ADMIN = _WRITER | {Role.ADMIN}

ROLES: Mapping[Role, frozenset[Role]] = {
    Role.READER: _READER,
    Role.WRITER: _WRITER,
    Role.ADMIN: _ADMIN,
}
"""Each role with those it includes."""

AGENT_ID_BYTES_MAX = 128
_AGENT_ID = re.compile(rf"[A-Za-z0-9_\-:@./]{{1,{AGENT_ID_BYTES_MAX}}}")
PIN_STEP = (
    "Have the operator pin this machine's certificate: its fingerprint goes into access/pins.txt."
)
TOKEN_STEP = "Ask the operator for a new token, and send it as: authorization: Bearer <token>."  # noqa: S105


class Kind(Enum):
    """By what a caller was recognised."""

    LOCAL = "local"
    "The user who owns the node, or root, on this machine."
    LOOPBACK = "loopback"
    "Anyone on this machine, where the operator opened the loopback port to them."
    TOKEN = "token"  # noqa: S105
    "The holder of a bearer token."
    CERTIFICATE = "certificate"
    "The holder of a pinned key."


@dataclass(frozen=True, slots=True)
class Principal:
    """One authenticated caller."""

    id: str
    """Such as "user:ann", "token:ci" or "cert:laptop": written into the log as the author."""
    kind: Kind
    roles: frozenset[Role]
    agent_pattern: str = "*"
    """The agent ids it may speak as, with * and ? as in file names."""
    place: str = ""
    """The namespace that it stands in, which bounds what it sees; empty: no bounds."""

    def require(self, role: Role) -> None:
        """Return if it has the role; otherwise Failure PERMISSION_DENIED."""
        if role not in self.roles:
            raise Failure(
                Code.PERMISSION_DENIED,
                f"{self.id} may not do this: it takes the role {role.value}",
                next=self._role_step(role),
            )

    def _role_step(self, role: Role) -> str:
        match self.kind:
            case Kind.CERTIFICATE:
                return f"Have the operator write {role.value} behind its name in {PINS_FILE}."
            case Kind.TOKEN:
                return f"Have the operator make a token with the role {role.value}."
            case _:
                return "Call over the node's unix socket, as the user who owns the node."


class Authenticator:
    """Turns what is known of a connection into a principal, or refuses it."""

    def __init__(
        self,
        access: Access,
        clock: Clock,
        owner_uid: int | None = None,
        *,
        http_open: bool = False,
        place: str = "",
    ) -> None:
        """owner_uid is the node's own user when absent; http_open lets all of loopback write.

        `place` is where callers from this machine stand who show no token.
        """
        self._access = access
        self._clock = clock
        self._owner_uid = os.geteuid() if owner_uid is None else owner_uid
        self._http_open = http_open
        self._place = place
        self._logins: dict[int, str] = {}

    def authenticate(self, credentials: Credentials) -> Principal:
        """The caller; Failure UNAUTHENTICATED or PERMISSION_DENIED with what to do about it.

        A bearer token that is sent must be good, whatever else is known: it then says who
        calls, and never widens what the connection alone would be allowed.
        """
        connected = self._connected(credentials)
        if credentials.bearer is None:
            if connected is None:
                raise Failure(
                    Code.UNAUTHENTICATED,
                    "this way in takes a bearer token and none was sent",
                    next=TOKEN_STEP,
                )
            return connected
        token = self._token(credentials.bearer)
        roles, place = ROLES[token.role], token.place
        if connected is not None and connected.kind is not Kind.LOOPBACK:
            roles &= connected.roles
            place = _one_place(token.place, connected.place)
        return Principal(f"token:{token.name}", Kind.TOKEN, roles, token.agent_pattern, place)

    def _connected(self, credentials: Credentials) -> Principal | None:
        """Who the connection itself proves, or None when it proves nobody."""
        match credentials.channel:
            case Channel.INPROCESS | Channel.UNIX:
                return self._local(credentials)
            case Channel.LOOPBACK:
                if not self._http_open:
                    return None
                return Principal("loopback", Kind.LOOPBACK, _WRITER, place=self._place)
            case Channel.TLS:
                return self._pinned(credentials.fingerprint)
            case _:
                raise Failure(Code.UNAUTHENTICATED, "this way in is not known")

    def _local(self, credentials: Credentials) -> Principal:
        uid = credentials.uid
        if uid is None and credentials.channel is Channel.INPROCESS:
            uid = self._owner_uid
        if uid is None or uid not in (0, self._owner_uid):
            owner = self._login(self._owner_uid)
            raise Failure(
                Code.PERMISSION_DENIED,
                f"this node belongs to {owner}, and the caller is another user",
                next=f"Run it as {owner}, or ask {owner} for a token.",
            )
        return Principal(self._login(uid), Kind.LOCAL, _ADMIN, place=self._place)

    def _pinned(self, fingerprint: str | None) -> Principal | None:
        if fingerprint is None:
            return None
        pin: Pin | None = self._access.current().pins.get(fingerprint)
        if pin is None:
            raise Failure(
                Code.UNAUTHENTICATED,
                f"the certificate sha256:{fingerprint} is not pinned here",
                next=PIN_STEP,
            )
        return Principal(f"cert:{pin.name}", Kind.CERTIFICATE, ROLES[pin.role], place=pin.place)

    def _token(self, bearer: str) -> Token:
        token = self._access.current().token(bearer)
        if token is None:
            raise Failure(
                Code.UNAUTHENTICATED, "the bearer token is not known here", next=TOKEN_STEP
            )
        if token.expires_us is not None and token.expires_us <= self._clock.now_us():
            message = f"the bearer token {token.name!r} has expired"
            step = f"Have the operator write a later time into {TOKENS_FILE}, or make a new token."
            raise Failure(Code.UNAUTHENTICATED, message, next=step)
        return token

    def _login(self, uid: int) -> str:
        """ "user:" and the login name in the alphabet of agent ids."""
        if uid not in self._logins:
            try:
                name = pwd.getpwuid(uid).pw_name
            except KeyError:
                name = str(uid)
            # No @: what is behind one would be taken for the node of a principal named in full.
            self._logins[uid] = "user:" + re.sub(r"[^A-Za-z0-9_\-.]", "_", name)
        return self._logins[uid]


def _one_place(token: str, connected: str) -> str:
    """Where the holder of a token stands on a connection that stands somewhere itself.

    What is seen from one place may be out of sight from another, so there is no common place of
    two: Failure PERMISSION_DENIED.
    """
    if token and connected and token != connected:
        raise Failure(
            Code.PERMISSION_DENIED,
            f"the token stands in {token!r} and the connection in {connected!r}",
            next=f"Use a token that stands in {connected!r}, or one without a place.",
        )
    return token or connected


def resolve_agent(principal: Principal, claim: str | None, hint: str = "") -> str:
    """The agent id a call is written under.

    A claim the principal may not make is Failure PERMISSION_DENIED at "$.agent_id". Without a
    claim it is the surface's hint if that is allowed, and the principal's own id if not.
    """
    if claim:
        why = _refusal(principal, claim)
        if why:
            raise Failure(
                Code.PERMISSION_DENIED,
                f"{principal.id} may not speak as {claim[:AGENT_ID_BYTES_MAX]!r}: {why}",
                path="$.agent_id",
                next=f"Leave agent_id out, or use one that matches {principal.agent_pattern!r}.",
            )
        return claim
    if hint and may_claim(principal, hint):
        return hint
    return principal.id


def may_claim(principal: Principal, agent_id: str) -> bool:
    """True when the principal may speak, and put words in the mouth of, that agent id."""
    return _refusal(principal, agent_id) == ""


def _refusal(principal: Principal, agent_id: str) -> str:
    """Why a principal may not use an agent id; empty when it may."""
    if agent_id == principal.id:
        return ""
    if not _AGENT_ID.fullmatch(agent_id):
        return "an agent id has 1 to 128 letters, digits and _-:@./"
    if agent_id.lower().partition(":")[0] in RESERVED_AGENTS:
        return "the name is reserved for those who prove it"
    if not fnmatchcase(agent_id, principal.agent_pattern):
        return "it is not among the agent ids granted"
    return ""
