"""Recall and search through the node, in languages that are not written like English."""

import pytest

from tests.harness import Harness

NOTES = {
    "zh": ("周会", "我们每周三下午在北京办公室开会讨论明年的预算"),
    "zh-2": ("团建", "公司下个月组织大家去上海爬山"),
    "zh-3": ("宠物", "小明家的猫叫咪咪喜欢吃鱼"),
    "ja": ("旅行", "来年の夏は家族で京都へ旅行に行く予定です"),
    "ja-2": ("設定", "会社のルーターのパスワードを変更した"),
    "de": ("Büro", "Frau Müller wohnt in der Königstraße neben dem Bäcker"),
    "de-2": ("Urlaub", "Wir fahren im Sommer an die Ostsee und füttern Möwen"),
    "ar": ("اجتماع", "قَرَأَ أحمد الكِتابَ في المدرسة"),
    "ar-2": ("سفر", "سافرت العائلة إلى القاهرة في الصيف"),
    "ko": ("일정", "다음 주 화요일에 서울에서 고객을 만나기로 했다"),
    "ko-2": ("점심", "오늘 점심은 비빔밥을 먹었다"),
    "th": ("อาหาร", "เมื่อวานฉันกินข้าวผัดกุ้งที่เชียงใหม่"),
    "th-2": ("งาน", "พรุ่งนี้มีประชุมกับลูกค้าที่กรุงเทพ"),
    "en": ("Lunch", "The canteen has soup on Tuesdays."),
}
ASKED = [
    ("北京", "zh"), ("我们在哪里讨论预算？", "zh"), ("爬山", "zh-2"), ("猫", "zh-3"),
    ("京都", "ja"), ("いつ京都へ行きますか", "ja"), ("パスワード", "ja-2"),
    ("Wo wohnt Frau Mueller?", "de"), ("konigstrasse", "de"), ("Königstraße", "de"),
    ("mowen", "de-2"), ("MÖWEN", "de-2"),
    ("كتاب", "ar"), ("ماذا قرأ أحمد", "ar"), ("القَاهِرَة", "ar-2"),
    ("서울", "ko"), ("비빔밥", "ko-2"), ("เชียงใหม่", "th"), ("ประชุม", "th-2"),
]  # fmt: skip


@pytest.fixture
def notes(node: Harness) -> Harness:
    for title, content in NOTES.values():
        node.store(title, content)
    return node


def test_the_right_memory_is_found_in_its_own_language(notes: Harness) -> None:
    for query, name in ASKED:
        recalled = notes.call("Recall", context=query)["memories"]
        assert [memory["content"] for memory in recalled][:1] == [NOTES[name][1]], query


def test_search_finds_it_too(notes: Harness) -> None:
    for query, name in ASKED:
        if " " in query or "？" in query or len(query) > 9:
            continue  # a whole question is for recall
        results = notes.call("Search", query=query)["results"]
        assert [memory["content"] for memory in results][:1] == [NOTES[name][1]], query


@pytest.mark.parametrize("text", ["😀", "❤\ufe0f🤔", "™ € ½", "\u0301", "\u200b", "？！。", "の"])
def test_a_query_of_signs_is_no_mistake(notes: Harness, text: str) -> None:
    notes.call("Recall", context=text)
    notes.call("Search", query=text)
