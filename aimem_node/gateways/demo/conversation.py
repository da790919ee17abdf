"""The conversations that the demo and the bench remember.

One reader for two sources: the sample that ships beside this module, and any file in the shape
of the LoCoMo data set (a list of conversations with `session_N`, `session_N_date_time` and
`qa`). Evidence ids in such files are sometimes glued or mis-punctuated; a question whose
evidence does not resolve is dropped and counted, never asked and quietly scored as a miss.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DATA_ENV = "AIMEM_DEMO_DATA"
SAMPLE = Path(__file__).with_name("sample.json")
NEARBY = Path("../shared/data/locomo-dev.json")
"""Relative to the project root: where a checkout of this project finds the data set, if at all."""

TITLE_CHARS_MAX = 72

_EVIDENCE = re.compile(r"([A-Za-z]+)\s*(\d+)\s*:\s*(\d+)")
_SESSION = re.compile(r"session_(\d+)")


class ConversationError(Exception):
    """The file is there but is not a list of conversations; says what was found instead."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that one person said."""

    turn_id: str
    speaker: str
    text: str
    session: str
    happened_at: datetime

    @property
    def title(self) -> str:
        """Who, and the first words: not unique, so it is stored beside others of its name."""
        return _shortened(f"{self.speaker}: {self.text}")

    @property
    def opening(self) -> str:
        """The first words alone: a title that says no more than the text does."""
        return _shortened(self.text)

    @property
    def agent_id(self) -> str:
        """The speaker in the letters that an agent id may have."""
        return re.sub(r"[^a-z0-9]+", "-", self.speaker.lower()).strip("-") or "someone"


@dataclass(frozen=True, slots=True)
class Question:
    """What someone may ask later, and the turns that hold the answer."""

    text: str
    answer: str
    evidence: frozenset[str]
    category: str = ""
    """What kind of question it is, in the words of whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Two people over several sessions, and what may be asked of it."""

    name: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]
    questions_dropped: int = 0
    """Questions whose evidence names no turn of the conversation."""

    @property
    def speakers(self) -> tuple[str, ...]:
        """In the order in which they first speak."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.turns))

    @property
    def sessions(self) -> tuple[str, ...]:
        """In the order in which they took place."""
        return tuple(dict.fromkeys(turn.session for turn in self.turns))


def find(env: Mapping[str, str], root: Path) -> tuple[Path, bool]:
    """The file to read, and whether it is the shipped sample. A file that is named must exist."""
    given = env.get(DATA_ENV)
    if given:
        path = Path(given).expanduser()
        if not path.is_file():
            raise ConversationError(f"{DATA_ENV} names {path}, which is not a file")
        return path, False
    nearby = root / NEARBY
    return (nearby, False) if nearby.is_file() else (SAMPLE, True)


def project_root() -> Path:
    """The checkout this package runs from; the working directory when it was installed."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "pyproject.toml").is_file() else Path.cwd()


def load(path: Path) -> tuple[Conversation, ...]:
    """Read every conversation of a file; ConversationError when it is something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConversationError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, list) or not found:
        raise ConversationError(f"{path} is not a list of conversations")
    try:
        return tuple(_conversation(each, number) for number, each in enumerate(found, start=1))
    except (KeyError, TypeError, ValueError) as error:
        raise ConversationError(f"{path} is not in the expected shape: {error!r}") from error


def _conversation(found: Mapping[str, Any], number: int) -> Conversation:
    talk = found["conversation"]
    sessions = [match for name in talk if (match := _SESSION.fullmatch(name))]
    turns: list[Turn] = []
    for match in sorted(sessions, key=lambda each: int(each[1])):
        at = moment(talk[f"{match[0]}_date_time"])
        session = f"session-{match[1]}"
        turns.extend(_turn(each, session, at) for each in talk[match[0]])
    known = {turn.turn_id for turn in turns}
    asked = [_question(each, known) for each in found.get("qa", [])]
    return Conversation(
        name=str(found.get("sample_id", f"conversation-{number}")),
        turns=tuple(turns),
        questions=tuple(question for question in asked if question is not None),
        questions_dropped=sum(question is None for question in asked),
    )


def _turn(found: Mapping[str, Any], session: str, at: datetime) -> Turn:
    caption = found.get("blip_caption")
    text = found["text"] + (f" [shares a picture: {caption}]" if caption else "")
    return Turn(found["dia_id"], found["speaker"], text, session, at)


def _question(found: Mapping[str, Any], known: set[str]) -> Question | None:
    """The question with the evidence that exists, or None when none of it does."""
    pieces = found.get("evidence") or []
    ids = {
        f"{m[1]}{int(m[2])}:{int(m[3])}" for piece in pieces for m in _EVIDENCE.finditer(str(piece))
    }
    evidence = ids & known
    if not evidence:
        return None
    answer = found.get("answer", found.get("adversarial_answer", ""))
    category = str(found.get("category", ""))
    return Question(str(found["question"]), str(answer), frozenset(evidence), category)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    if len(line) <= TITLE_CHARS_MAX:
        return line
    return line[: TITLE_CHARS_MAX - 1].rsplit(" ", 1)[0] + "…"


def moment(text: str) -> datetime:
    """`1:56 pm on 8 May, 2023` or an ISO time, read as UTC when it names no zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime.strptime(text.strip(), "%I:%M %p on %d %B, %Y")  # noqa: DTZ007
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def here(env: Mapping[str, str] | None = None) -> tuple[tuple[Conversation, ...], Path, bool]:
    """The conversations of this machine, their file, and whether it is the shipped sample."""
    path, is_sample = find(os.environ if env is None else env, project_root())
    return load(path), path, is_sample
