from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rc_pipeline.corpora import conversations
from rc_pipeline.corpora.inventory import opened
from rc_pipeline.corpora.readers import REMEDIES, BadRow, CorpusError, Row
from rc_pipeline.corpora.sharegpt import read_rows

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "alpaca" / "alpaca_zh_200.json"


def turn(role: str, value: Any) -> dict[str, Any]:
    return {"from": role, "value": value}


def talk(*turns: Any, **more: Any) -> dict[str, Any]:
    return {"id": "x", "conversations": list(turns)} | more


Q, A, R, B = turn("human", "问一"), turn("gpt", "答一"), turn("human", "问二"), turn("gpt", "答二")


def read(folder: Path, text: str | bytes) -> list[Row | BadRow]:
    path = folder / "raw.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with opened("raw.json", path) as file:
        return list(read_rows(file))


def read_one(folder: Path, conversation: Any) -> list[Row | BadRow]:
    return read(folder, json.dumps([conversation]))


def faults(found: list[Row | BadRow]) -> list[tuple[str, str]]:
    bad = [row for row in found if isinstance(row, BadRow)]
    assert all(row.reason in REMEDIES for row in bad)
    return [(row.reason, row.field) for row in bad]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"<html>", "HTML"),
        (b"\xff\xfe[\x00", "UTF-16"),
        (json.dumps([talk(Q, A)])[:-9], "ends in the middle"),
        (json.dumps([talk(Q, A)]) + "]", "more after the end"),
    ],
)
def test_a_file_that_is_no_whole_list_is_an_error(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("conversation", "reason", "field"),
    [
        ("text", "not_an_object", "the row"),
        ({"messages": [Q, A]}, "missing_field", "conversations"),
        ({"conversations": None}, "missing_field", "conversations"),
        ({"conversations": "[]"}, "not_a_list", "conversations"),
        (talk(), "no_turns", "conversations"),
        (talk(Q, A, system=["x"]), "not_text", "system"),
        (talk("hi", A), "not_an_object", "conversations[0]"),
        (talk({"value": "x"}, A), "missing_field", "conversations[0].from"),
        (talk(turn("narrator", "x"), A), "unknown_role", "conversations[0].from"),
        (talk(turn(7, "x"), A), "unknown_role", "conversations[0].from"),  # type: ignore[arg-type]
        (talk({"from": "human"}, A), "missing_field", "conversations[0].value"),
        (talk(turn("human", 5), A), "not_text", "conversations[0].value"),
        (talk(turn("human", "\ud800"), A), "bad_utf8", "conversations[0].value"),
        (talk(turn("human", " \n"), A), "empty_turn", "conversations[0].value"),
        (talk(Q, turn("gpt", "")), "empty_turn", "conversations[1].value"),
        (talk(Q, turn("function_call", "{}"), turn("observation", "3")), "tool_turn", "conversations[1].from"),
        (talk(Q), "question_without_answer", "conversations[0]"),
        (talk(A), "answer_without_question", "conversations[0]"),
        (talk(turn("system", "x")), "no_turns", "conversations[0]"),
    ],
)
def test_a_conversation_that_gives_no_row_is_set_aside_once_with_its_fault(
    tmp_path: Path, conversation: Any, reason: str, field: str
) -> None:
    assert faults(read_one(tmp_path, conversation)) == [(reason, field)]


def test_a_conversation_is_used_up_to_its_first_fault_and_every_answer_after_it_is_counted(tmp_path: Path) -> None:
    found = read_one(tmp_path, talk(Q, A, turn("tool", "x"), B, R, B, R))
    assert isinstance(found[0], Row)
    assert faults(found) == [("tool_turn", "conversations[2].from")] * 2
    assert [row.row for row in found[1:] if isinstance(row, BadRow)] == [B, B]
    late = read_one(tmp_path, talk(Q, A, turn("system", "x"), R, B))
    assert faults(late) == [("late_system_turn", "conversations[2].from")]
    assert isinstance(late[0], Row)


def test_a_greeting_is_set_aside_and_the_conversation_goes_on(tmp_path: Path) -> None:
    greeting, row = read_one(tmp_path, talk(turn("gpt", "你好！"), Q, A))
    assert faults([greeting]) == [("answer_without_question", "conversations[0]")]
    assert isinstance(row, Row)
    assert (row.fields["instruction"], row.fields["history"], row.key) == ("问一", [], "0.2")


def test_a_last_question_is_set_aside_and_the_rows_before_it_stay(tmp_path: Path) -> None:
    row, left = read_one(tmp_path, talk(Q, A, R))
    assert isinstance(row, Row)
    assert faults([left]) == [("question_without_answer", "conversations[2]")]


def test_a_history_past_its_limits_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "MAX_HISTORY_TURNS", 4)
    found = read_one(tmp_path, talk(*[Q, A] * 5))
    assert [getattr(row, "reason", "good") for row in found] == ["good"] * 3 + ["history_too_long"] * 2
    monkeypatch.setattr(conversations, "MAX_HISTORY_CHARACTERS", 5)
    assert len(faults(read_one(tmp_path, talk(*[Q, A] * 3)))) == 1


def test_every_answer_becomes_a_row_with_what_was_said_before(tmp_path: Path) -> None:
    found = read_one(tmp_path, talk(turn("system", "用中文回答。"), Q, A, R, B))
    assert found == [
        Row(
            {"instruction": "问一", "input": "", "output": "答一", "system": "用中文回答。", "history": [],
             "joined_turns": 0},
            "raw.json", 1, "0.2",
        ),
        Row(
            {"instruction": "问二", "input": "", "output": "答二", "system": "用中文回答。",
             "history": [["问一", "答一"]], "joined_turns": 0},
            "raw.json", 1, "0.4",
        ),
    ]  # fmt: skip


def test_turns_of_one_side_are_joined_and_counted(tmp_path: Path) -> None:
    system = [turn("system", "one"), turn("system", "two")]
    first, second = read_one(tmp_path, talk(*system, Q, R, A, B, B, R, A, system="zero"))
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert first.fields == {
        "instruction": "问一\n\n问二", "input": "", "output": "答一\n\n答二\n\n答二",
        "system": "zero\n\none\n\ntwo", "history": [], "joined_turns": 4,
    }  # fmt: skip
    assert (second.fields["joined_turns"], second.fields["history"]) == (0, [["问一\n\n问二", "答一\n\n答二\n\n答二"]])


@pytest.mark.parametrize(("asks", "answers"), [("user", "assistant"), ("Human", " GPT"), ("human", "chatgpt")])
def test_the_sides_go_by_several_names(tmp_path: Path, asks: str, answers: str) -> None:
    (row,) = read_one(tmp_path, talk(turn(asks, "问"), turn(answers, "答")))
    assert isinstance(row, Row)
    assert (row.fields["instruction"], row.fields["output"]) == ("问", "答")


def test_a_key_counts_conversations_so_that_correcting_one_renames_no_other(tmp_path: Path) -> None:
    lines = [json.dumps(one) for one in (talk(Q, A, R, B), talk(Q), talk(Q, A))]
    found = read(tmp_path, "\n".join(lines))
    assert [row.key for row in found if isinstance(row, Row)] == ["0.1", "0.3", "2.1"]
    assert [row.line for row in found] == [1, 1, 2, 3]


@pytest.mark.skipif(not SHARED.is_file(), reason="the real samples are not here")
def test_real_chinese_instructions_written_as_conversations_say_the_same(tmp_path: Path) -> None:
    rows = json.loads(SHARED.read_bytes())
    whole = [talk(turn("human", row["instruction"]), turn("gpt", row["output"])) for row in rows]
    found = read(tmp_path, json.dumps(whole, ensure_ascii=False))
    said = [(row.fields["instruction"], row.fields["output"]) for row in found if isinstance(row, Row)]
    assert said == [(row["instruction"], row["output"]) for row in rows]
