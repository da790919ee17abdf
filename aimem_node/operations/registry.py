"""Which function means which operation. A missing or an extra one stops the node at start."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from aimem_node.contract.operations import OPERATIONS, Effect

Handler = Callable[[Any, Any], Any]
Streamer = Callable[[Any, Any], AsyncIterator[Any]]
Waiter = Callable[[Any, Any], Awaitable[Any]]
F = TypeVar("F", bound=Callable[..., Any])

HANDLERS: dict[str, Handler] = {}
STREAMERS: dict[str, Streamer] = {}
WAITERS: dict[str, Waiter] = {}
AFTERS: dict[str, Callable[[Any, Any, Any], Any]] = {}
OFFLINE: frozenset[str] = frozenset({"Backup"})
"""Operator's operations that main answers itself, because they are about the files."""


def _name(function: Callable[..., Any]) -> str:
    return "".join(part.capitalize() for part in function.__name__.split("_"))


def operation(function: F) -> F:
    """Register a handler under the operation that its name spells: kg_query answers KgQuery."""
    HANDLERS[_name(function)] = function
    return function


def streams(function: F) -> F:
    """Register an asynchronous generator for an operation that is answered by a stream."""
    STREAMERS[_name(function)] = function
    return function


def awaits(function: F) -> F:
    """Register a coroutine function for an operation on the cluster; it is given a ClusterCall."""
    WAITERS[_name(function)] = function
    return function


def afterwards(name: str) -> Callable[[F], F]:
    """Register what is added to a write's answer from a view, once the write is on disk."""

    def register(function: F) -> F:
        AFTERS[name] = function
        return function

    return register


def check_complete() -> None:
    """Every operation of the contract is answered, and nothing else is. Raises RuntimeError."""
    answered = set(HANDLERS) | set(STREAMERS) | set(WAITERS) | OFFLINE
    missing, extra = set(OPERATIONS) - answered, answered - set(OPERATIONS)
    if missing or extra:
        raise RuntimeError(
            f"operations without a handler: {missing}; handlers without one: {extra}"
        )
    for name in (*STREAMERS, *WAITERS):
        if OPERATIONS[name].effect == Effect.WRITE:
            raise RuntimeError(f"{name} writes and must be done inside a transaction")
