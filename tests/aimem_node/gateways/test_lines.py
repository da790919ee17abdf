"""Lines come out as they went in, and none is longer than agreed."""

import asyncio

import pytest

from aimem_node.gateways.lines import LineReader, LineTooLong


def reader_of(*chunks: bytes, limit: int = 100) -> LineReader:
    reader = asyncio.StreamReader()
    for chunk in chunks:
        reader.feed_data(chunk)
    reader.feed_eof()
    return LineReader(reader, limit)


async def rest(lines: LineReader) -> list[bytes]:
    found = []
    while (line := await lines.next()) is not None:
        found.append(line)
    return found


def test_lines_do_not_depend_on_how_they_were_cut(run) -> None:
    async def body() -> None:
        assert await rest(reader_of(b"on", b"e\ntwo\n\nthr", b"ee\n")) == [
            b"one",
            b"two",
            b"",
            b"three",
        ]

    run(body())


def test_the_last_line_needs_no_break(run) -> None:
    async def body() -> None:
        assert await rest(reader_of(b"one\ntwo")) == [b"one", b"two"]

    run(body())


def test_a_line_of_exactly_the_limit_is_read(run) -> None:
    async def body() -> None:
        assert await rest(reader_of(b"x" * 100 + b"\n")) == [b"x" * 100]

    run(body())


@pytest.mark.parametrize("line", [b"x" * 101 + b"\n", b"x" * 101])
def test_a_longer_line_is_refused_whether_or_not_it_ends(run, line) -> None:
    async def body() -> None:
        with pytest.raises(LineTooLong, match="100 bytes"):
            await reader_of(line).next()

    run(body())


def test_the_limit_can_be_raised_after_the_first_line(run) -> None:
    async def body() -> None:
        lines = reader_of(b"hello\n" + b"y" * 500 + b"\n")
        assert await lines.next() == b"hello"
        lines.line_bytes_max = 1000
        assert await lines.next() == b"y" * 500

    run(body())
