"""Memories of all languages are found: by the words that stand in them, and by none of a name."""

from pathlib import Path

import apsw
import pytest

from aimem_node.store.database import open_database
from aimem_node.store.listing import Filter
from aimem_node.store.matching import matching_ids, similar_titles
from aimem_node.store.schema import MIGRATIONS
from aimem_node.store.schema_text import COLUMNS
from aimem_node.store.store import Store
from aimem_node.store.words import marked, quoted
from tests.aimem_node.store.scribes import words

SAID = {
    "zh": ("会议", "我们每周三下午在北京办公室开会讨论预算"),
    "zh-cat": ("宠物", "小明家的猫叫咪咪"),
    "ja": ("旅行", "来年の夏は京都へ旅行に行く予定です"),
    "ja-net": ("ネット", "新しいルーターのパスワードを変更した"),
    "ko": ("회의", "다음 주에 서울에서 고객을 만나기로 했다"),
    "th": ("อาหาร", "เมื่อวานฉันกินข้าวผัดกุ้งที่เชียงใหม่"),
    "de": ("Büro", "Frau Müller wohnt in der Königstraße und züchtet Möwen"),
    "ar": ("اجتماع", "قَرَأَ أحمد الكتابَ في المدرسة"),
    "fa": ("سفر", "می‌خواهم به تهران بروم"),
    "hi": ("यात्रा", "हम गर्मियों में हिमाचल जाएंगे"),
    "ru": ("Ёлка", "Мы купили ёлку в Москве"),
    "pl": ("Łódź", "Spotkanie w Łodzi z panią Świątek"),
    "en": ("Budget", "The budget meeting is on Wednesday"),
}
ASKED = [
    ("北京", "zh"), ("预算", "zh"), ("在哪里开会", "zh"), ("猫", "zh-cat"), ("咪咪是谁", "zh-cat"),
    ("京都", "ja"), ("旅行の予定", "ja"), ("パスワード", "ja-net"), ("ﾊﾟｽﾜｰﾄﾞ", "ja-net"),
    ("서울", "ko"), ("고객은", "ko"), ("ข้าวผัด", "th"), ("เชียงใหม่", "th"),
    ("Koenigstrasse", "de"), ("KÖNIGSTRASSE", "de"), ("Königstraße", "de"), ("mowen", "de"),
    ("Mueller", "de"), ("Muller", "de"), ("buro", "de"),
    ("كتاب", "ar"), ("الْكِتَاب", "ar"), ("احمد", "ar"), ("والمدرسه", "ar"),
    ("ميخواهم", "fa"), ("می‌خواهم", "fa"), ("हिमाचल", "hi"), ("елку", "ru"), ("ЁЛКА", "ru"),
    ("lodz", "pl"), ("swiatek", "pl"), ("budgets", "en"),
]  # fmt: skip
QUESTIONS = {"在哪里开会", "咪咪是谁", "旅行の予定", "고객은"}
"""They hold words that their answers do not."""


def put_all(bench, pen) -> None:
    bench.put(*(pen.memory(lang, *texts) for lang, texts in SAID.items()))


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A store with all that is said, come forward from schema 3."""
    from tests.aimem_node.store.conftest import Bench, Pen

    bench = Bench(tmp_path_factory.mktemp("now") / "node")
    put_all(bench, Pen)
    expected = bench.see(words)
    bench.store.close()
    old = tmp_path_factory.mktemp("old") / "node"
    of_schema_3(bench.data_dir / "aimem.db", old)
    store = Store.open(old, lambda _: None, readers=1)
    assert store.readers.submit(words).result(30) == expected
    yield store
    store.close()


def of_schema_3(source: Path, data_dir: Path) -> None:
    """Write the rows of a store of today into a file of the last schema before this index."""
    data_dir.mkdir()
    connection = open_database(data_dir, MIGRATIONS[:3])
    connection.execute("ATTACH ? AS new", (str(source),))
    connection.execute("DELETE FROM meta")
    for table in ("origin", "op", "record", "bucket", "memory", "memory_tag", "meta"):
        names = connection.execute("SELECT name FROM pragma_table_info(?, 'main')", (table,))
        columns = ", ".join(name for (name,) in names)
        connection.execute(f"INSERT INTO main.{table}({columns}) SELECT {columns} FROM new.{table}")
    connection.execute("UPDATE meta SET v = ? WHERE k = 'schema'", (b"3",))
    connection.execute("INSERT INTO memory_fts(memory_fts) VALUES('rebuild')")
    connection.close()


@pytest.mark.parametrize(("query", "found"), ASKED)
def test_a_word_is_found_in_its_own_script(told, query, found) -> None:
    modes = ["any"] if query in QUESTIONS else ["any", "all"]
    for mode in modes:
        read = told.readers.submit(lambda view, mode=mode: view.search(query, mode, Filter(), 5))
        assert [hit.record_id for hit in read.result(30).hits][:1] == [found]


def test_a_file_that_came_forward_is_whole(told) -> None:
    assert told.verify(deep=True).problems == []


def test_forgetting_and_likeness_go_by_the_same_words(bench, pen) -> None:
    put_all(bench, pen)

    def ids(pattern):
        return bench.see(lambda view: matching_ids(view._connection, pattern, Filter(), 9))

    assert ids("北京") == ["zh"]
    assert ids("Königstrasse") == ["de"]
    assert ids("😀") == []
    assert bench.see(lambda v: similar_titles(v._connection, "新しいネット", Filter(), 5)) == [
        "ja-net"
    ]
    terms = bench.see(lambda view: view.terms(["北京", "strasse", "königstrasse"]))
    assert [(term.word, term.rows) for term in terms] == [
        ("北京", 1), ("strasse", 0), ("königstrasse", 1),
    ]  # fmt: skip
    assert [row.record_id for row in bench.see(lambda v: v.sharing(terms, Filter(), 5))] == [
        "de", "zh",
    ]  # fmt: skip


def test_a_name_is_no_word_that_somebody_wrote(bench, pen) -> None:
    claude = {"agent_id": "ai:claude", "namespace": "global", "source": "chat/7"}
    bench.put(
        *(pen.memory(f"m{at}", "lunch", "soup", **claude) for at in range(5)),
        pen.memory("about", "models", "Claude is a global one", agent_id="user:ann"),
    )

    def found(query):
        return [h.record_id for h in bench.see(lambda v: v.search(query, "any", Filter(), 9)).hits]

    assert found("claude") == found("global") == ["about"]
    assert bench.see(lambda view: view.terms(["claude", "global", "soup"]))[0].rows == 1
    assert bench.see(lambda v: matching_ids(v._connection, "claude", Filter(), 9)) == ["about"]
    by_name = bench.see(lambda view: view.terms([marked("claude"), marked("chat")]))
    assert [term.rows for term in by_name] == [5, 5]
    rows = bench.see(
        lambda view: (
            view._connection.execute(
                "SELECT count(*) FROM memory_fts WHERE memory_fts MATCH ?",
                (f"agent : {quoted([marked('claude')], 'OR')}",),
            ).get
        )
    )
    assert rows == 5


def test_the_index_has_the_columns_that_it_is_known_by(bench) -> None:
    names = bench.see(
        lambda view: view._connection.execute("SELECT name FROM pragma_table_info('memory_fts')")
        .fetchall()
    )  # fmt: skip
    assert tuple(name for (name,) in names) == COLUMNS


def test_a_connection_that_knows_no_words_of_ours_reads_all_but_the_index(bench, pen) -> None:
    put_all(bench, pen)
    bench.store.close()
    stranger = apsw.Connection(str(bench.data_dir / "aimem.db"))
    assert stranger.execute("PRAGMA integrity_check").get == "ok"
    assert stranger.execute("SELECT count(*) FROM memory").get == len(SAID)
    stranger.close()
