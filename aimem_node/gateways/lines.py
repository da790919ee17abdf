"""Lines out of a byte stream, none longer than agreed.

asyncio's own readline keeps one limit for a connection and cannot say which line broke it; MCP
needs a small one for the first line and a large one for the rest.
"""

import asyncio
import json

CHUNK_BYTES = 64 * 1024


class LineTooLong(Exception):  # noqa: N818 - the text is for the peer
    """The peer sent more bytes without a line break than were agreed."""


class LineReader:
    """The lines of one connection."""

    def __init__(self, reader: asyncio.StreamReader, line_bytes_max: int) -> None:
        self._reader = reader
        self._kept = bytearray()
        self._searched = 0
        self.line_bytes_max = line_bytes_max
        """May be changed between lines."""

    async def next(self) -> bytes | None:
        """The next line without its break, or None at the end.

        The last line needs no break. Raises LineTooLong, and ConnectionError when the peer is
        gone; after either nothing more can be read.
        """
        while True:
            end = self._kept.find(b"\n", self._searched)
            if (end if end >= 0 else len(self._kept)) > self.line_bytes_max:
                self._kept.clear()
                raise LineTooLong(f"a line is longer than {self.line_bytes_max} bytes")
            if end >= 0:
                line = bytes(self._kept[:end])
                del self._kept[: end + 1]
                self._searched = 0
                return line
            self._searched = len(self._kept)
            chunk = await self._reader.read(CHUNK_BYTES)
            if not chunk:
                rest, self._kept = bytes(self._kept), bytearray()
                self._searched = 0
                return rest or None
            self._kept += chunk


def rpc_error(code: int, message: str) -> bytes:
    """A JSON-RPC error line that answers no request in particular."""
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    return json.dumps(body).encode() + b"\n"
