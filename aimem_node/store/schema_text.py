"""The full-text index since schema 4: texts of all scripts, and the names that memories go by."""

from __future__ import annotations

from typing import Final

import apsw

from aimem_node.store.scripts import tokenizer_marks

TOKENIZER: Final = (
    "porter",
    ["unicode61", "remove_diacritics", "2", "tokenchars", tokenizer_marks()],
)
"""Cuts texts and questions into stems, for FTS5 and for whoever counts them."""
NAMES: Final = ("agent", "place")
COLUMNS: Final = ("title", "content", "tags", "grams", *NAMES)
"""What the index holds of a memory, in this order.

grams: the words by which scripts without spaces and other spellings are found. agent, place: the
words of its agent's id, and of its namespace, source and session, marked as words of names: they
are found by who asks for them alone, and do not count as words that somebody wrote.
"""

# As in the first schema, the index keeps no text of its own. The functions are of `words`.
_TABLES: Final = f"""
DROP TABLE memory_word;
DROP TABLE memory_fts;
DROP VIEW memory_text;
CREATE VIEW memory_text AS SELECT rid, title, content, tags,
    memory_grams(title, content, tags) AS grams,
    memory_names(agent_id) AS agent,
    memory_names(namespace || ' ' || source || ' ' || session) AS place
    FROM memory WHERE life = 'live';
CREATE VIRTUAL TABLE memory_fts USING fts5(
    {", ".join(COLUMNS)},
    content='memory_text', content_rowid='rid',
    tokenize="{TOKENIZER[0]} {" ".join(TOKENIZER[1][:-1])} '{TOKENIZER[1][-1]}'"
);
INSERT INTO memory_fts(memory_fts, rank) VALUES('automerge', 8);
INSERT INTO memory_fts(memory_fts, rank) VALUES('usermerge', 2);
INSERT INTO memory_fts(memory_fts) VALUES('rebuild');
CREATE VIRTUAL TABLE memory_word USING fts5vocab('memory_fts', 'row');
CREATE VIRTUAL TABLE memory_word_in USING fts5vocab('memory_fts', 'col');
"""  # noqa: S608


def index_all_scripts(connection: apsw.Connection) -> None:
    """The step to it, from the index of schema 1. About 15 s per million memories."""
    connection.execute(_TABLES)
