"""One name, spelled for each surface. The rules here are the only place where a name changes."""

import re

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake(name: str) -> str:
    """GetTaxonomy as get_taxonomy."""
    return _HUMP.sub("_", name).lower()


def kebab(name: str) -> str:
    """GetTaxonomy, or get_taxonomy, as get-taxonomy."""
    return snake(name).replace("_", "-")


def member(enum: str, value: str) -> str:
    """TIER_SHORT of Tier as SHORT. Raises ValueError for a value without its enum's prefix."""
    prefix = snake(enum).upper() + "_"
    if not value.startswith(prefix):
        raise ValueError(f"{value} of enum {enum} must start with {prefix}")
    return value.removeprefix(prefix)


def python_class(full_name: str) -> str:
    """aimem.v1.ExportRecord.Header as ExportRecordHeader."""
    return "".join(part for part in full_name.split(".") if part[:1].isupper())


def sentence(text: str) -> str:
    """The first sentence of a comment, for places where words are dear."""
    end = re.search(r"\.(?= |$)", text)
    return text if end is None else text[: end.start()] + "."
