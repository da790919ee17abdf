"""What is known of a caller."""

import pytest

from aimem_node.contract.calls import (
    UNASKED_CHARS_MAX,
    WAIT_KEY,
    Channel,
    Credentials,
    Session,
    read_session,
)
from aimem_node.contract.errors import Code, Failure


def test_a_token_is_not_shown() -> None:
    assert "hunter2" not in repr(Credentials(channel=Channel.TLS, bearer="hunter2"))


def test_a_session_is_no_part_of_who_calls_and_is_not_shown() -> None:
    session = Session("secret-ish")
    with_it = Credentials(channel=Channel.UNIX, session=session)
    assert with_it == Credentials(channel=Channel.UNIX)
    assert "secret-ish" not in repr(with_it)


def test_a_session_is_read_from_what_came_beside_the_request() -> None:
    assert read_session(None, None) == Session()
    assert read_session(" c/1/ ", "70") == Session("c/1/", 70, asked=True)
    assert read_session("", None).asked is True


@pytest.mark.parametrize("wait_ms", ["", "-1", "1e3", "soon", "٣", "1" * 10])
def test_a_wait_that_cannot_be_read_is_refused_by_its_name(wait_ms: str) -> None:
    with pytest.raises(Failure) as caught:
        read_session(None, wait_ms)
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, WAIT_KEY)


def test_a_long_token_is_only_for_those_who_keep_tokens() -> None:
    long = "x" * (UNASKED_CHARS_MAX + 1)
    assert Session(token="short").told == "short"
    assert Session(token=long).told == ""
    assert Session(token=long, asked=True).told == long
