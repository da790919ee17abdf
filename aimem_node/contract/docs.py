"""Made pages of docs/."""


def operations_markdown() -> str:
    return ""


def failures_markdown() -> str:
    return ""
