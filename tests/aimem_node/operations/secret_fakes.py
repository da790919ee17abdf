"""Secrets that never were: drawn from a seed and put together here, so that no scanner of
repositories finds one in ours.
"""

import random
import string

LETTERS = string.ascii_letters
B62 = LETTERS + string.digits
B64U = B62 + "-_"
HEX = "0123456789abcdef"
_DASHES = "-" * 5


def drawn(count: int, alphabet: str = B62, seed: int = 7) -> str:
    """count characters of alphabet, always the same for the same seed, of every class it has."""
    chance = random.Random(f"{seed}/{count}/{alphabet}")
    while True:
        made = "".join(chance.choice(alphabet) for _ in range(count))
        edges = made[0] + made[-1]
        if (
            edges.isalnum()
            and any(map(str.isdigit, made))
            and (not set(LETTERS) <= set(alphabet) or made.upper() != made != made.lower())
        ):
            return made


def block(what: str, lines: int = 4, end: bool = True) -> str:
    """A PEM block of that kind."""
    body = [drawn(64, B62 + "+/", seed) for seed in range(lines)]
    last = [f"{_DASHES}END {what}{_DASHES}"] if end else []
    return "\n".join([f"{_DASHES}BEGIN {what}{_DASHES}", *body, drawn(22) + "==", *last])


FAKES: dict[str, list[str]] = {
    "aws_access_key": [
        start + "IA" + drawn(16, string.ascii_uppercase + "234567") for start in ("AK", "AS")
    ],
    "gcp_api_key": ["AI" + "za" + drawn(35, B64U)],
    "gcp_oauth": ["GOC" + "SPX-" + drawn(28, B64U), "ya" + "29." + drawn(60, B64U)],
    "azure_connection_string": [
        "DefaultEndpointsProtocol=https;AccountName=x;Account" + "Key=" + drawn(86) + "==",
        "Endpoint=sb://x.example/;SharedAccess" + "Key=" + drawn(43) + "=",
    ],
    "azure_sas": ["https://x.blob.example/c?sv=2022-11-02&se=2024-01-01&s" + "ig=" + drawn(44)],
    "azure_client_secret": [drawn(3) + "8" + "Q~" + drawn(34)],
    "github_token": [
        *(f"gh{kind}" + "_" + drawn(36) for kind in "pousr"),
        "github" + "_pat_" + drawn(22) + "_" + drawn(59),
    ],
    "gitlab_token": ["gl" + "pat-" + drawn(20, B64U), "gl" + "rt-" + drawn(20)],
    "slack_token": [
        "xo" + "xb-" + drawn(12, string.digits) + "-" + drawn(24),
        "xa" + "pp-1-" + drawn(40),
    ],
    "slack_webhook": ["https://hooks.sl" + "ack.com/services/T" + drawn(8) + "/B" + drawn(34)],
    "stripe_key": [
        *(f"{kind}k_{mode}_" + drawn(24) for kind in "sr" for mode in ("live", "test")),
        "wh" + "sec_" + drawn(32),
    ],
    "anthropic_key": ["sk-" + "ant-api03-" + drawn(93, B64U)],
    "openai_key": ["sk" + "-" + drawn(48), "sk" + "-proj-" + drawn(120, B64U)],
    "npm_token": ["np" + "m_" + drawn(36)],
    "pypi_token": ["py" + "pi-AgEIcHlwaS5vcmc" + drawn(120, B64U)],
    "sendgrid_key": ["S" + "G." + drawn(22, B64U) + "." + drawn(43, B64U)],
    "twilio_key": ["S" + "K" + drawn(32, HEX)],
    "twilio_token": ["twilio auth is " + drawn(32, HEX)],
    "telegram_token": ["123456789" + ":" + "AA" + drawn(33, B64U)],
    "discord_token": ["M" + drawn(23) + "." + drawn(6) + "." + drawn(38, B64U)],
    "discord_webhook": ["https://discord" + ".com/api/webhooks/12345678901234567/" + drawn(68)],
    "aimem_token": ["aim" + "em_" + drawn(43, B64U)],
    "aimem_invitation": ["aim" + "1." + drawn(180, "abcdefghijklm234567") + "." + drawn(8, HEX)],
    "jwt": ["ey" + "JhbGciOiJIUzI1NiJ9." + "ey" + "JzdWIiOiIxIn0." + drawn(43, B64U)],
    "private_key": [
        *(
            block(f"{kind}PRIVATE KEY")
            for kind in ("", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ")
        ),
        block("PGP PRIVATE KEY " + "BLOCK"),
        block("RSA PRIVATE " + "KEY").replace("\n", "\\n"),
        block("PRIVATE " + "KEY").replace("\n", "\n    "),
        block("PRIVATE " + "KEY", end=False),
        "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-" + "Lines: 1\n" + drawn(48),
        "AGE-SECRET-" + "KEY-1" + drawn(58, string.ascii_uppercase + string.digits),
    ],
    "gcp_service_account_key": [
        '{"type": "service_account", "private_' + 'key": "'
        + block("PRIVATE " + "KEY").replace("\n", "\\n") + '\\n"}'
    ],
    "url_password": [
        "postgres://app:" + "s3cr-t" + "@db.example:5432/x",
        "https://ann:" + "p@ss!word" + "@example.com/",
        "redis://:" + "abc" + "@cache:6379/0",
    ],
    "bearer_token": ["Authorization: Bearer " + drawn(32), "bearer " + drawn(20)],
    "basic_login": ["Authorization: Basic " + "YW5uOm" + "9wZW4gc2VzYW1l"],
    "high_entropy": [
        drawn(40), drawn(43, B64U), drawn(44) + "=",
        drawn(64, string.ascii_lowercase + string.digits),
    ],
}  # fmt: skip
"""By kind: texts that hold one secret of it, the kind that `screen` is to name."""

_VALUE = "Tr0ub4dor&3"
ASSIGNED = [
    f"password={_VALUE}",
    f"password: {_VALUE}",
    f'"password": "{_VALUE}"',
    f"PGPASSWORD='{_VALUE}' psql",
    f"db_password = '{_VALUE}'",
    f"dbPassword := {_VALUE}",
    f"secret: {_VALUE}",
    f"client_secret=`{_VALUE}`",
    f"config['api_key'] = \"{_VALUE}\"",
    f"My api key: {_VALUE}",
    f"the wifi password is {_VALUE}.",
    f"X-Api-Key: {_VALUE}",
    f"mysql --password={_VALUE}",
    f"mysql --password {_VALUE} --host x",
    f"https://x.example/cb?access_token={_VALUE}",
    f'{{\\"secret\\": \\"{_VALUE}\\"}}',
    f"env: password={_VALUE}",
    "passwd=" + "hunter" + "22",
    "password: " + "83920174",
    "secret=" + drawn(64, HEX),
    "auth_token: " + "550e8400-e29b-41d4" + "-a716-446655440000",
]
"""Names with values that look real."""
