"""One line for every decision the node takes: past tense, ids and units.

Foreground nodes write for people; background nodes write JSON, one object a line. Content of
memories never reaches a log.
"""

import logging
import sys
from typing import Any

# Where rich is installed structlog imports it for its console, and a node carries 6 MB that it
# never prints with. None in this place makes that import fail, and only that one.
_rich_was_there = "rich" in sys.modules
if not _rich_was_there:
    sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402

if not _rich_was_there:
    del sys.modules["rich"]

LEVELS = ("debug", "info", "warning", "error")


def set_up(level: str, as_json: bool) -> None:
    """Configure logging for the whole process. Call once, before the first line."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")


def get(room: str) -> Any:
    """A logger whose lines name the room they come from."""
    return structlog.get_logger(room=room)
