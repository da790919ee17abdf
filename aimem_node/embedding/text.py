"""What of a memory is embedded: what it says, and nothing of who, when and where.

Names and dates in the text pull all memories of one speaker or day together, and away from the
questions they answer: they are fields of their own, and the ranking looks at them there.
"""


def passage_text(title: str, content: str) -> str:
    """The content, after the title where this says more than the content's beginning."""
    headline = title.strip().rstrip(".…").casefold()
    if content.strip().casefold().startswith(headline):
        return content
    return f"{title}\n{content}"
