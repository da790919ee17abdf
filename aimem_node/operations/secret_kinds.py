"""What secrets look like: one rule for each kind, and how to tell a real one from an example.

Every pattern here is bounded in how far it can read from any start, and gives nothing back once it
has read it (possessive repeats), so a hostile text costs a fixed number of steps for each of its
characters. The test walks the patterns and counts; a rule that could run away does not pass it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aimem_node.operations.entropy import entropy_bits

VALUE_CHARS_MIN: Final = 6
"""A shorter value after "password=" is rather a word of the sentence."""
VALUE_CHARS_MAX: Final = 512
"""A longer one is a document in a setting."""

Check = Callable[[str], bool]
"""Whether what a pattern found is one indeed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of secret is found."""

    kind: str
    hint: str
    "What it is, for the person whose text it was in."
    needles: tuple[str, ...]
    "One of these is in every text that the pattern could match; lower case."
    pattern: re.Pattern[str]
    "Its group `secret`, or all of it, is the secret."
    check: Check = lambda _: True


def is_mixed(text: str) -> bool:
    """Upper case, lower case and digits: what words seldom have together."""
    return (
        any(char.isupper() for char in text)
        and any(char.islower() for char in text)
        and any(char.isdigit() for char in text)
    )


def is_varied(text: str) -> bool:
    """Letters and digits, and not the same few over and over: what no placeholder is."""
    return (
        any(char.isalpha() for char in text)
        and any(char.isdigit() for char in text)
        and entropy_bits(text) >= 2.5
    )


_PLACEHOLDER = re.compile(
    r"<|\$[A-Za-z_{(]|\{|\[|\(|%[A-Za-z_({]|your[_-]|my[_-]|change[_-]?me|replace|dummy|sample"
    r"|hidden|masked|omitted|not[_-]?set|(?:pass|password|passwd|secret|token|user|none|null|true"
    r"|false|required|optional|string|undefined|empty|todo|tbd)\d?$",
    re.IGNORECASE,
)
_INSIDE = ("***", "...", "…", "xxxx", "example", "placeholder", "changeme", "redacted", "<", "${")


def is_placeholder(value: str) -> bool:
    """Whether a value stands for a secret instead of being one: <token>, ${PASSWORD}, ***."""
    lower = value.lower()
    return _PLACEHOLDER.match(value) is not None or any(word in lower for word in _INSIDE)


_REFERENCE = re.compile(
    r"(?:os|process|env|config|settings|self|this|args|options|request|secrets?|vault|params)\."
    r"|[A-Za-z_][A-Za-z0-9_.]{0,60}+[(\[]|[a-z]{2,10}://|[.~]{0,2}/[\w.-]|sha\d{1,3}:",
)
"""Where the value is to be had: a variable, a call, a file, an address, a digest."""
_NAME = re.compile(
    r"[a-z]{2,40}(?:_[a-z]{2,40}){1,8}_?\d{0,2}|\d{4}-\d\d-\d\d\S{0,24}+"
    r"|v?\d{1,4}(?:\.\d{1,6}){1,4}\S{0,24}+|[A-Za-z]{2,40}[!?:=]{1,3}|#[0-9A-Fa-f]{3,8}",
)
"""Names of variables, dates, versions, the last word of an exclamation, colours."""
_NUMBERED_WORD = re.compile(r"[A-Za-z]{1,16}[_-]?\d{1,2}|\d{1,8}[A-Za-z]{1,8}")
"""step3, utf-8, 30min: a password may look so, a key does not."""

_CAMEL = re.compile(r"[A-Z][a-z]{2,}+")
"""A word of PKCS7PrivateKeyTypes. A value that is half such words is the name of a type."""
_SPACE, _DIGIT, _LETTER = re.compile(r"\s"), re.compile(r"\d"), re.compile(r"[^\W\d_]")
_SYMBOL = re.compile(r"[!@#$%^&*+=?~|]")


def is_real_value(value: str, *, after_password: bool = False) -> bool:
    """Whether what stands after "password:" is one, rather than a word, a name or a reference."""
    if not VALUE_CHARS_MIN <= len(value) <= VALUE_CHARS_MAX or is_placeholder(value):
        return False
    if _REFERENCE.match(value) or _NAME.fullmatch(value) or _SPACE.search(value):
        return False
    if not after_password and (
        _NUMBERED_WORD.fullmatch(value)
        or _PRINCIPAL.fullmatch(value)
        or (value.isalnum() and len("".join(_CAMEL.findall(value))) * 2 > len(value))
    ):
        return False
    digits = _DIGIT.search(value) is not None
    symbols = _SYMBOL.search(value) is not None
    if _LETTER.search(value):
        return digits or symbols
    return after_password and digits and (symbols or value.isdigit())


_PASSWORDS = ("password", "passwd", "passphrase", "passwort", "pwd", "pgpass")
_NAMES = (
    *_PASSWORDS, "secret", "apikey", "accesskey", "secretkey", "privatekey", "signingkey",
    "encryptionkey", "masterkey", "authkey", "accountkey", "token", "credential", "credentials",
    "apisecret",
)  # fmt: skip
_NOT_SECRET = (
    "pagetoken", "nexttoken", "resumetoken", "continuationtoken", "cursortoken", "synctoken",
    "publickeytoken", "maxtoken", "pertoken", "stoptoken", "eostoken", "bostoken", "padtoken",
    "causaltoken", "aftertoken",
)  # fmt: skip


def is_secret_name(name: str) -> bool:
    """Whether a name says that its value is secret: db_password, X-Api-Key, clientSecret."""
    plain = name.lower().translate(_PUNCTUATION)
    return plain.endswith(_NAMES) and not plain.endswith(_NOT_SECRET)


def is_password_name(name: str) -> bool:
    """Whether a name says so of a password, which may consist of digits alone."""
    return name.lower().translate(_PUNCTUATION).endswith(_PASSWORDS)


_PRINCIPAL = re.compile(r"[A-Za-z][\w.-]*@[A-Za-z][\w.-]*", re.ASCII)
"""As in token:ci@desk: the name of a caller of ours, or an address, with the word before it."""
_PUNCTUATION = str.maketrans("", "", " _-.")

NAMED_NEEDLES: Final = ("pass", "pwd", "secret", "key", "token", "credential")
NAMED = re.compile(
    r"(?<![\w.-])(?:--(?P<flag>[A-Za-z][\w-]{0,60}+) {1,4}+(?!-)"
    r"|-{0,2}+(?P<name>(?:[A-Za-z]{1,20} )?[A-Za-z][\w.-]{0,80}+)"
    r"(?:\\?[\"'`]\]?)?[ \t]{0,8}(?::=|=>|={1,2}|:|(?<=[a-z]) is )[ \t]{0,8}+)",
    re.ASCII,
)
"""name and what joins it to its value, as in settings, code, headers, speech and commands."""
VALUE = re.compile(
    r"\\?\"(?P<double>(?:[^\"\\\n]|\\[^\"\n]){1,512}+)|'(?P<single>[^'\n]{1,512}+)"
    r"|`(?P<tick>[^`\n]{1,512}+)|(?P<bare>[^\s\"'`,;&|<>()\[\]{}\\]{1,512}+)(?![(\[])"
)
"""The value, with or without quotes. What is called or looked into is a name, not a value."""
URL_LOGIN = re.compile(
    r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,24}+://(?P<authority>[^\s/?#\"'<>`]{1,1024}+)"
)
"""Everything up to the path; the login is what stands before the last @ of it."""


def _rule(kind: str, hint: str, needles: str, pattern: str, check: Check = lambda _: True) -> Rule:
    return Rule(kind, hint, tuple(needles.split()), re.compile(pattern, re.ASCII), check)


def _unlike_example(text: str) -> bool:
    return not is_placeholder(text.rpartition("_")[2]) and entropy_bits(text) >= 2.5


_B64 = r"A-Za-z0-9_\-"
_EDGE = f"(?<![{_B64}])"
_AFTER = f"(?![{_B64}])"
_GAP = r"(?:\\[rnt]|[\s>#|\"'+,*;])"

RULES: Final[tuple[Rule, ...]] = (
    _rule(
        "gcp_service_account_key", "the private key of a Google service account",
        "private_key",
        r"\\?\"private_key\\?\"\s{0,8}+:\s{0,8}+\\?\""
        r"(?P<secret>-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----"
        r"[A-Za-z0-9+/=\s\\]{32,8192}+(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?(?:\\{1,2}n)?)",
    ),
    _rule(
        "private_key", "a private key (PEM, OpenSSH or PGP)",
        "private",
        r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
        rf"(?:{_GAP}{{0,16}}+[A-Za-z-]{{1,40}}+: [^\n\\]{{0,200}}+){{0,8}}+"
        rf"(?:{_GAP}{{0,16}}+[A-Za-z0-9+/=]{{16,16384}}+){{1,512}}+"
        rf"(?:{_GAP}{{0,16}}+=?[A-Za-z0-9+/]{{1,15}}+={{0,2}}+(?={_GAP}{{0,16}}+-----END))?+"
        rf"(?:{_GAP}{{0,16}}+-----END (?:[A-Z0-9]{{1,16}} ){{0,4}}PRIVATE KEY(?: BLOCK)?-----)?+",
    ),
    _rule(
        "private_key", "a private key (PuTTY)", "private-lines:",
        r"Private-Lines: \d{1,3}+(?:\s{1,4}+[A-Za-z0-9+/=]{16,128}+){1,200}+",
    ),
    _rule(
        "private_key", "a private key (age)", "age-secret-key-1",
        r"AGE-SECRET-KEY-1[A-Z0-9]{58}(?![A-Z0-9])",
    ),
    _rule(
        "aws_access_key", "the id of an AWS access key", "akia asia abia acca",
        r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
        lambda text: "EXAMPLE" not in text,
    ),
    _rule(
        "aws_secret_key", "an AWS secret access key", "aws akia asia secret_access_key",
        r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
        lambda text: is_mixed(text) and entropy_bits(text) >= 4.25 and text.count("/") <= 3,
    ),
    _rule("gcp_api_key", "a Google API key", "aiza",
        rf"{_EDGE}AIza[{_B64}]{{35}}{_AFTER}", is_varied),
    _rule(
        "gcp_oauth", "a Google OAuth secret or token", "gocspx- ya29.",
        rf"{_EDGE}(?:GOCSPX-[{_B64}]{{28}}{_AFTER}|ya29\.[{_B64}]{{20,1024}}+)", is_varied,
    ),
    _rule(
        "azure_connection_string", "the key of an Azure connection string",
        "accountkey= sharedaccesskey=",
        r"(?i:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{40,88}+={0,2}+)", is_varied,
    ),
    _rule(
        "azure_sas", "the signature of an Azure SAS address", "sig=",
        r"(?<=[?&;\s\"'])sig=(?P<secret>[A-Za-z0-9%+/_-]{40,128}+={0,2}+)", is_varied,
    ),
    _rule(
        "azure_client_secret", "the secret of an Azure application", "q~",
        r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~-])", is_mixed,
    ),
    _rule(
        "github_token", "a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,255}+|github_pat_[A-Za-z0-9_]{22,255}+)",
        _unlike_example,
    ),
    _rule(
        "gitlab_token", "a GitLab token",
        "glpat- gldt- glptt- glrt- gloas- glcbt- glft- glimt- glagent- glsoat- glffct- gr1348941",
        rf"{_EDGE}(?:gl(?:pat|dt|ptt|rt|oas|cbt|ft|imt|agent|soat|ffct)|GR1348941)-?[{_B64}]{{20,128}}+",
        is_varied,
    ),
    _rule(
        "slack_token", "a Slack token", "xox xapp-",
        r"(?<![A-Za-z0-9])(?:xox[abcdeoprs](?:\.xox[a-z])?|xapp)-[A-Za-z0-9-]{10,255}+", is_varied,
    ),
    _rule(
        "slack_webhook", "the address of a Slack webhook", "hooks.slack.com",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/]{30,120}+", is_varied,
    ),
    _rule(
        "stripe_key", "a Stripe key", "k_live_ k_test_ whsec_",
        r"(?<![A-Za-z0-9])(?:[sr]k_(?:live|test)_[A-Za-z0-9]{16,255}+|whsec_[A-Za-z0-9+/]{24,128}+={0,2}+)",
        _unlike_example,
    ),
    _rule(
        "anthropic_key", "an Anthropic key", "sk-ant-",
        rf"{_EDGE}sk-ant-[{_B64}]{{20,255}}+", is_varied
    ),
    _rule("openai_key", "an OpenAI key", "sk-", rf"{_EDGE}sk-[{_B64}]{{20,255}}+", is_mixed),
    _rule(
        "npm_token", "an npm token", "npm_",
        rf"{_EDGE}npm_[A-Za-z0-9]{{36}}(?![A-Za-z0-9])", is_varied
    ),
    _rule("pypi_token", "a PyPI token", "pypi-", rf"{_EDGE}pypi-[{_B64}]{{48,512}}+", is_mixed),
    _rule(
        "sendgrid_key", "a SendGrid key", "sg.",
        rf"(?<![{_B64}.])SG\.[{_B64}]{{16,32}}+\.[{_B64}]{{32,64}}+", is_varied,
    ),
    _rule(
        "twilio_key", "a Twilio key", "sk",
        r"(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![A-Za-z0-9])", is_varied
    ),
    _rule(
        "twilio_token", "a Twilio token", "twilio",
        r"(?i:twilio)[^\n]{0,80}?[^A-Za-z0-9](?P<secret>[0-9a-f]{32})(?![A-Za-z0-9])", is_varied,
    ),
    _rule(
        "telegram_token", "the token of a Telegram bot", ":",
        rf"(?<![\w.-])\d{{8,10}}:[{_B64}]{{35}}{_AFTER}", is_mixed,
    ),
    _rule(
        "discord_token", "the token of a Discord bot", ".",
        rf"(?<![{_B64}.])[MNO][{_B64}]{{23,27}}\.[{_B64}]{{6,7}}\.[{_B64}]{{27,45}}+", is_mixed,
    ),
    _rule(
        "discord_webhook", "the address of a Discord webhook", "/api/webhooks/",
        rf"discord(?:app)?\.com/api/webhooks/\d{{17,20}}/[{_B64}]{{60,80}}+", is_varied,
    ),
    _rule(
        "aimem_token", "a token of an aimem node", "aimem_",
        rf"{_EDGE}aimem_[{_B64}]{{43}}{_AFTER}",
        is_mixed,
    ),
    _rule(
        "aimem_invitation", "a line that lets a machine join an aimem cluster", "aim1.",
        r"(?<![A-Za-z0-9])(?i:aim1\.[a-z2-7]{100,1024}+\.[0-9a-f]{8})(?![0-9A-Za-z])",
    ),
    _rule(
        "jwt", "a signed token (JWT)", "eyj",
        rf"{_EDGE}eyJ[{_B64}]{{8,4096}}+(?:\.[{_B64}]{{0,8192}}+){{2,4}}+",
        lambda text: len(text.rpartition(".")[2]) >= 16,
    ),
    _rule(
        "bearer_token", "a bearer token", "bearer",
        r"(?<![A-Za-z0-9])(?i:bearer)[ \t]{1,4}+(?P<secret>[A-Za-z0-9._~+/-]{16,4096}+={0,2}+)",
        lambda text: is_varied(text) and not is_placeholder(text),
    ),
    _rule(
        "basic_login", "a name and password in a header", "basic",
        r"(?i:authorization\\?[\"']?\s{0,4}[:=]\s{0,4}\\?[\"']?basic)[ \t]{1,4}+"
        r"(?P<secret>[A-Za-z0-9+/]{8,1024}+={0,2}+)",
        lambda text: not is_placeholder(text),
    ),
)  # fmt: skip
"""The most telling first: where two find the same place, the earlier names it."""
