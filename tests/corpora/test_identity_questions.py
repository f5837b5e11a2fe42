from __future__ import annotations

import io
import json
import re
import string
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rc_pipeline.corpora.identity import Facts
from rc_pipeline.corpora.identity_questions import PATTERNS, Question, questions, read_rows
from rc_pipeline.corpora.inventory import RawFile
from rc_pipeline.corpora.readers import CorpusError

FACTS = {
    "en": Facts("Lumen", "the Reading Lab", ("answer questions about a text", "summarise an article", "translate")),
    "zh": Facts("小明灯", "阅读实验室", ("回答阅读理解问题", "概括文章", "翻译")),
}


def asked(language: str, facts: Facts | None = None) -> list[Question]:
    return list(questions(language, facts or FACTS[language]))


def test_a_language_without_questions_is_an_error() -> None:
    data = json.dumps({"fr": {"name": "Lumen", "developers": "nous", "abilities": ["lire"]}}).encode()
    file = RawFile("identity.json", Path("identity.json"), io.BytesIO(data), packed=False)
    with pytest.raises(CorpusError, match=r"no questions in language 'fr'\. Use en or zh"):
        list(read_rows(file))


@pytest.mark.parametrize("language", PATTERNS)
def test_patterns_name_only_what_they_are_filled_with(language: str) -> None:
    topics = yaml.safe_load(PATTERNS[language].read_text(encoding="utf-8"))["topics"]
    assert len(topics) >= 12
    facts, one_of = {"name", "developers", "abilities"}, {"ability", "model", "company"}
    for topic, said in topics.items():
        assert len(set(said["questions"])) == len(said["questions"]) >= 3, topic
        assert len(set(said["answers"])) == len(said["answers"]) >= 4, topic
        named = [{name for _, name, _, _ in string.Formatter().parse(one) if name} for one in said["questions"]]
        shared = set.intersection(*named) & one_of
        assert all(names <= facts | one_of and len(names & one_of) <= 1 for names in named), topic
        for answer in said["answers"]:
            assert {name for _, name, _, _ in string.Formatter().parse(answer) if name} <= facts | shared, answer


@pytest.mark.parametrize("language", PATTERNS)
def test_each_question_is_asked_once_and_every_answer_of_a_topic_is_given(language: str) -> None:
    found = asked(language)
    assert len({one.question for one in found}) == len(found) > 120
    topics = yaml.safe_load(PATTERNS[language].read_text(encoding="utf-8"))["topics"]
    assert Counter(one.topic for one in found).keys() == topics.keys()
    for topic in topics:
        assert len({one.answer for one in found if one.topic == topic}) >= 3, topic


@pytest.mark.parametrize("language", PATTERNS)
def test_texts_are_whole_sentences_without_places_left_open(language: str) -> None:
    for one in asked(language):
        for text in (one.question, one.answer):
            assert not re.search(r"[{}]|  |^\s|\s$", text), text
            assert text[-1] in (".?!" if language == "en" else "。？！"), text
            assert bool(re.search(r"[\u4e00-\u9fff]", text)) == (language == "zh"), text


@pytest.mark.parametrize("language", PATTERNS)
def test_names_with_braces_and_percent_signs_are_only_names(language: str) -> None:
    odd = replace(FACTS[language], name="{developers}%s{0}")
    assert any("{developers}%s{0}" in one.answer for one in asked(language, odd))


def test_a_model_does_not_deny_its_own_name_or_its_developers() -> None:
    found = asked("en", Facts("Llama Reader", "Google Research", ("read",)))
    denied = [one.question for one in found if one.topic in ("other_models", "other_developers")]
    assert any("Gemini" in question for question in denied)
    assert not any("Llama" in question or "Google" in question for question in denied)
    assert any(one.question == "Are you Llama Reader?" and one.topic == "name" for one in found)


def test_a_single_ability_is_not_joined_to_anything() -> None:
    found = {one.answer for one in asked("en", replace(FACTS["en"], abilities=("read",)))}
    assert "I can read." in found
    assert "I can read and ." not in found


def test_another_fact_changes_the_answers_that_name_it_and_no_other_row() -> None:
    before = {one.question: one.answer for one in asked("zh")}
    after = {one.question: one.answer for one in asked("zh", replace(FACTS["zh"], developers="另一个实验室"))}
    for question in before.keys() & after.keys():
        assert after[question] == before[question].replace("阅读实验室", "另一个实验室")
    assert len(before.keys() & after.keys()) > len(before) - 5


def test_rows_are_named_after_their_questions() -> None:
    languages = {
        code: {"name": one.name, "developers": one.developers, "abilities": list(one.abilities)}
        for code, one in FACTS.items()
    }
    file = RawFile("identity.json", Path("identity.json"), io.BytesIO(json.dumps(languages).encode()), packed=False)
    rows = list(read_rows(file))
    assert len({row.key for row in rows}) == len(rows) == len(asked("en")) + len(asked("zh"))
    assert {(row.fields["language"], row.key.split("-")[0]) for row in rows} == {("en", "en"), ("zh", "zh")}
