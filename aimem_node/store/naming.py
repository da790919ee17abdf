"""When two names are the same name.

People write one name in many ways: in capitals, with wide or composed characters, with two spaces.
Names are compared folded and shown as they were written. The folding is kept beside each name in
the file; were it ever changed, a step of the schema would have to make those again.
"""

import unicodedata

FOLDED_CHARS_MAX = 512
"""Names that differ only behind this are one. Folding can make a name eighteen times as long."""


def folded(name: str) -> str:
    """The name as it is compared: NFKC, without regard to case, each run of spaces as one."""
    # Folding case may take a text out of its normal form (for example for U+0345), so the form is
    # made once more; the second round changes nothing any more.
    text = unicodedata.normalize("NFKC", name)
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text.casefold())
    return " ".join(text.split())[:FOLDED_CHARS_MAX]
