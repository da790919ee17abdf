"""A URL is one that may be called, or it is refused; a name leads only where it was seen to."""

import asyncio
from collections.abc import Sequence

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.outbound import urls
from aimem_node.outbound.reachable import Allowed
from aimem_node.outbound.urls import Target, check_url, resolve

PUBLIC, PUBLIC_V6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
LONG_HOST = ".".join(["a" * 60] * 5) + ".example"

MALFORMED = [
    "", " ", "https", "https:", "https://", "https:///x", "https:/example.com", "//example.com",
    "example.com", "https:example.com", "://example.com", "https//example.com",
    "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/",
    "javascript:alert(1)", "data:text/plain,x", "httpss://example.com", "ws://example.com",
    "unix:///run/x.sock", "http+unix://x", "https+http://example.com",
    "https://user@example.com/", "https://user:pw@example.com/", "https://@example.com/",
    "https://:@example.com/", "https://example.com@10.0.0.1/", "https://a:b@10.0.0.1/",
    "https://example.com:443@127.0.0.1/", "https://good.example\\@127.0.0.1/",
    "https://good.example\\.evil.example/", "https:\\\\example.com", "https:/\\example.com",
    "https://example.com#@127.0.0.1/", "https://example.com/#x", "https://127.0.0.1#.example.com/",
    "https://exam ple.com/", " https://example.com/", "https://example.com/ ",
    "https://example.com/a b", "https://example.com/\r\nHost: x", "https://example.com\t/",
    "https://example.com\x00.evil.example/", "https://example.com/\x7f", "https://exa\u200bmple.com/",
    "https://exa\u00admple.com/", "https://example\u3000.com/", "https://example.com/\u2028",
    "https://example.com:0/", "https://example.com:65536/", "https://example.com:/",
    "https://example.com:-1/", "https://example.com:+443/", "https://example.com:0443/",
    "https://example.com:4 43/", "https://example.com:99999999999/", "https://example.com:https/",
    "https://example.com:443:443/", "https://example.com:٤٤٣/",
    "https://127.1/", "https://127.0.1/", "https://2130706433/", "https://0x7f000001/",
    "https://0x7f.0.0.1/", "https://0x7f.1/", "https://0177.0.0.1/", "https://017700000001/",
    "https://127.0.0.01/", "https://127.0.0.0x1/", "https://1.2.3.4.5/", "https://256.1.1.1/",
    "https://0/", "https://0x/", "https://127.0.0.1.0x7f/", "https://1.1.1/", "https://999999999999/",
    "https://１２７.0.0.1/", "https://127。0。0。1/", "https://①②⑦.0.0.1/", "https://ⓔxample.com/",
    "https://example。com/", "https://example．com/", "https://exa\u212ample.com/",
    "https://%31%32%37.0.0.1/", "https://example%2ecom/", "https://%6cocalhost/",
    "https://[::1/", "https://::1/", "https://[::1]x/", "https://[::1]]/", "https://[[::1]]/",
    "https://[]/", "https://[127.0.0.1]/", "https://[v1.fe80::a]/", "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/", "https://[::1%1]/", "https://[1:2:3]/", "https://[example.com]/",
    "https://2001:db8::1/", "https://[::ffff:0x7f.0.0.1]/",
    "https://.example.com/", "https://example..com/", "https://example.com../", "https://./",
    "https://-example.com/", "https://example-.com/", "https://exa_mple.com/", "https://a,b.com/",
    "https://exa*mple.com/", "https://exa!mple.com/", "https://xn--a/", "https://xn--99999999/",
    "https://xn--/", f"https://{'a' * 64}.com/", f"https://{LONG_HOST}/",
    "https://example.com/" + "a" * 2048, "https://example.com/ü", "https://example.com?q=ü",
    "https://\ud800.example/",
]  # fmt: skip
"""Never a URL of ours, whatever it would lead to."""

UNREACHABLE = [
    "https://127.0.0.1/", "https://127.255.255.254:8443/x", "https://0.0.0.0/", "https://0.1.2.3/",
    "https://10.0.0.1/", "https://10.255.255.255/", "https://172.16.0.1/", "https://172.31.255.1/",
    "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/", "https://169.254.1.1/",
    "https://169.254.170.2/", "https://100.64.0.1/", "https://100.127.255.255/",
    "https://100.100.100.200/", "https://168.63.129.16/", "https://192.0.0.192/",
    "https://192.0.2.1/", "https://198.51.100.1/", "https://203.0.113.1/", "https://198.18.0.1/",
    "https://224.0.0.1/", "https://239.255.255.250/", "https://240.0.0.1/",
    "https://255.255.255.255/", "https://192.88.99.1/", "HTTPS://127.0.0.1./",
    "https://[::1]/", "https://[::]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::127.0.0.1]/",
    "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::FFFF:10.0.0.1]/",
    "https://[::ffff:169.254.169.254]/", "https://[::ffff:0:127.0.0.1]/", "https://[::10.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/", "https://[64:ff9b::a9fe:a9fe]/", "https://[64:ff9b::a00:1]/",
    "https://[64:ff9b:1::8.8.8.8]/", "https://[64:ff9b:1:7f00:0:100::]/",
    "https://[2002:7f00:1::]/", "https://[2002:a9fe:a9fe::1]/", "https://[2002:808:808::1]/",
    "https://[2001:0:a00:1::1]/", "https://[2001::1]/", "https://[2001:db8::1]/",
    "https://[3fff::1]/", "https://[fe80::1]/", "https://[fec0::1]/", "https://[fc00::1]/",
    "https://[fd00:ec2::254]/", "https://[fd12:3456::1]/", "https://[ff02::1]/",
    "https://[100::1]/", "https://[4000::1]/", "https://[2001:2::1]/", "https://[2001:20::1]/",
    "https://[2606:2800::5efe:10.0.0.1]/", "https://[5f00::1]/",
]  # fmt: skip
"""Well formed, and addresses that the whole internet cannot reach."""


def refusal(text: str, allowed: Allowed = urls.NOTHING) -> Failure:
    with pytest.raises(Failure) as caught:
        check_url(text, allowed)
    assert caught.value.path == "$.url"
    return caught.value


def test_the_tables_are_as_long_as_was_promised() -> None:
    assert len(set(MALFORMED)) >= 60
    assert len(set(UNREACHABLE)) >= 40


@pytest.mark.parametrize("text", MALFORMED, ids=ascii)
def test_a_spelling_that_could_be_read_in_two_ways_is_refused(text: str) -> None:
    allowed = Allowed.parse(["0.0.0.0/0", "::/0", "example.com"])
    assert refusal(text, allowed).code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://a:b@example.com/", "user name"),
        ("https://example.com\\@x/", "backslash"),
        ("https://exa\u200bmple.com/", "invisible"),
        ("https://example.com/#x", "fragment"),
        ("https://example.com:0/", "port"),
        ("https://[fe80::1%eth0]/", "percent"),
        ("https://127.1/", "usual spelling"),
        ("https://127。0。0。1/", "international"),
        ("http://example.com/", "not https"),
        ("ftp://example.com/", "https://"),
    ],
)
def test_a_refusal_names_what_is_wrong_and_how_to_write_it(text: str, why: str) -> None:
    assert why in refusal(text).message
    assert "https://hooks.example.com" in refusal(text).next


@pytest.mark.parametrize("text", UNREACHABLE)
def test_an_address_that_is_not_public_is_refused(text: str) -> None:
    assert refusal(text).code is Code.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM./a?b=c", "https://example.com/a?b=c"),
        ("https://example.com?x=1", "https://example.com/?x=1"),
        ("https://example.com:443/", "https://example.com/"),
        ("https://example.com:8443/@x:y//z", "https://example.com:8443/@x:y//z"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://1.1.1.1/", "https://1.1.1.1/"),
        ("https://[2606:4700:0::1111]:8443", "https://[2606:4700::1111]:8443/"),
        ("https://4chan.example/", "https://4chan.example/"),
        ("https://intranet/", "https://intranet/"),
    ],
)
def test_a_sound_url_is_read_into_its_one_spelling(text: str, url: str) -> None:
    target = check_url(text)
    assert target.url == url
    assert check_url(url) == target


class Names:
    """A resolver that answers from a list, one entry for each time it is asked."""

    def __init__(self, *answers: Sequence[str] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def found(names: Names, url: str = "https://x.example:8443/", allowed: Allowed = urls.NOTHING):
    return asyncio.run(resolve(check_url(url, allowed), names, allowed))


def test_a_public_name_leads_to_its_addresses_once_each_and_in_order() -> None:
    names = Names([PUBLIC_V6, PUBLIC, PUBLIC, f"::ffff:{PUBLIC}"])
    assert found(names) == (PUBLIC_V6, PUBLIC)
    assert names.asked == [("x.example", 8443)]


def test_an_address_is_not_looked_up() -> None:
    names = Names()
    assert found(names, f"https://{PUBLIC}/") == (PUBLIC,)
    assert found(names, f"https://[::ffff:{PUBLIC}]/") == (PUBLIC,)
    assert names.asked == []


@pytest.mark.parametrize(
    "bad",
    ["127.0.0.1", "10.0.0.1", "::1", "fe80::1%eth0", "fe80::1", "::ffff:10.0.0.1", "fd00:ec2::254",
     "64:ff9b::a00:1", "2002:a00:1::", "0.0.0.0", "224.0.0.1", "100.64.0.1", "not an address", ""],
)  # fmt: skip
def test_one_bad_address_among_good_ones_refuses_the_name(bad: str) -> None:
    for answer in ([bad], [PUBLIC, bad], [bad, PUBLIC], [PUBLIC, PUBLIC_V6, bad]):
        with pytest.raises(Failure) as caught:
            found(Names(answer))
        assert caught.value.code is Code.PERMISSION_DENIED


@pytest.mark.parametrize(
    "trouble",
    [OSError("no such name"), UnicodeError("label too long"), TimeoutError(), (), [PUBLIC] * 65],
    ids=repr,
)
def test_a_name_that_cannot_be_resolved_is_not_called(trouble: Sequence[str] | Exception) -> None:
    with pytest.raises(Failure) as caught:
        found(Names(trouble))
    assert caught.value.code is Code.UNAVAILABLE


def test_a_resolver_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "RESOLVE_MS_MAX", 1)

    async def silent(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(Failure, match="no answer") as caught:
        asyncio.run(resolve(check_url("https://x.example/"), silent))
    assert caught.value.code is Code.UNAVAILABLE


def test_a_name_that_turns_private_is_refused_the_next_time() -> None:
    names = Names([PUBLIC], ["127.0.0.1"])
    assert found(names) == (PUBLIC,)
    with pytest.raises(Failure, match="loopback"):
        found(names)


def test_what_the_operator_allows_may_be_called_and_nothing_beside_it() -> None:
    allowed = Allowed.parse(["10.1.0.0/16", "fd12::/32", "hooks.corp.example"])
    assert check_url("https://10.1.2.3/", allowed).host == "10.1.2.3"
    assert check_url("https://[::ffff:10.1.2.3]/", allowed).is_literal
    assert check_url("https://[fd12::5]/", allowed).is_literal
    assert refusal("https://10.2.0.1/", allowed).code is Code.PERMISSION_DENIED
    assert found(Names(["10.1.9.9"]), allowed=allowed) == ("10.1.9.9",)
    inside = Names(["192.168.7.7"], ["192.168.7.7"], ["169.254.169.254"])
    assert found(inside, "https://hooks.corp.example/", allowed) == ("192.168.7.7",)
    with pytest.raises(Failure, match="private"):
        found(inside, "https://x.hooks.corp.example/", allowed)
    with pytest.raises(Failure, match="keys"):
        found(inside, "https://hooks.corp.example/", allowed)


def test_without_tls_only_this_machine_is_called_and_only_if_the_operator_said_so() -> None:
    allowed = Allowed(loopback=True)
    for text in ("http://127.0.0.1:8080/", "http://localhost:8080/", "http://[::1]:8080/"):
        assert refusal(text).code is Code.INVALID_ARGUMENT
        assert check_url(text, allowed).port == 8080
    assert refusal("http://example.com/", allowed).code is Code.INVALID_ARGUMENT
    assert refusal("http://127.0.0.1.example/", allowed).code is Code.INVALID_ARGUMENT
    local = "http://localhost/"
    assert found(Names(["127.0.0.1", "::1"]), local, allowed) == ("127.0.0.1", "::1")
    with pytest.raises(Failure, match="without TLS"):
        found(Names(["127.0.0.1", PUBLIC]), local, allowed)
    with pytest.raises(Failure, match="private"):
        found(Names(["10.0.0.1"]), local, allowed)


def test_the_systems_own_resolver_knows_this_machine() -> None:
    target = Target("http", "localhost", 80, "/", is_literal=False)
    assert asyncio.run(resolve(target, None, Allowed(loopback=True)))
