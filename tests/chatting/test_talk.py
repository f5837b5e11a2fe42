from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

from rc_pipeline.catalog.prompts import PromptTemplate
from rc_pipeline.chatting.talk import Talk
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.models.families import ENCODER_DECODERS
from rc_pipeline.models.loading import load_model, load_tokenizer
from rc_pipeline.prediction.sampling import Sampling
from rc_pipeline.prompting.dialogue import RowRefused
from rc_pipeline.prompting.encoding import PromptTooLong, encode
from rc_pipeline.prompting.reading import read_prompt
from tests.merging.tiny_runs import train_tiny
from tests.models.upstream import WRITERS, artifact

GREEDY = Sampling(0.0, 1.0)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("bases")
    made = {}
    for name in ("minicpm", "chatglm2", "gpt2", "flan_t5"):
        upstream = WRITERS[name](folder / name)
        made[name] = (upstream.family, artifact(upstream, folder / f"{name}_artifact"))
    return made


def talk(base: tuple[str, Path], prompt: str, *, adapter: Path | None = None, **changes: Any) -> Talk:
    family, folder = base
    tokenizer = load_tokenizer(folder)
    told = PromptTemplate.model_validate_json((PROJECT / "catalog" / "prompts" / f"{prompt}.json").read_text())
    data = told.model_dump(mode="json", exclude={"description"}) | {"name": prompt}
    form = read_prompt(data, tokenizer, ends_prompt=family in ENCODER_DECODERS)
    model = load_model(folder, family=family, adapter=adapter)
    limits = {"context_tokens": 200, "max_new_tokens": 24, "sampling": GREEDY} | changes
    return Talk(model, tokenizer, form, **limits)


def test_a_system_text_without_a_place_is_refused(bases: dict[str, tuple[str, Path]]) -> None:
    talking = talk(bases["minicpm"], "minicpm")

    with pytest.raises(RowRefused, match="no place for a system text"):
        talking.instruct("Be brief.")
    assert talking.system == ""


def test_a_question_that_no_prompt_holds_is_refused_and_forgotten(bases: dict[str, tuple[str, Path]]) -> None:
    talking = talk(bases["minicpm"], "minicpm")

    with pytest.raises(PromptTooLong):
        list(talking.ask("who " * 500))
    assert talking.history == []


def test_earlier_turns_are_in_the_prompt_until_there_is_no_room(bases: dict[str, tuple[str, Path]]) -> None:
    talking = talk(bases["chatglm2"], "chatglm2", context_tokens=160)
    first = "".join(talking.ask("安娜住在哪里?"))
    prompt = talking.tokenizer.decode(talking.prompt_ids("谁?"))

    assert talking.history == [["安娜住在哪里?", first]] if first else []
    assert "[Round 2]\n\n问：谁?" in prompt
    for _ in range(12):
        list(talking.ask("where lives Anna in Rome?"))
    ids = talking.prompt_ids("who?")
    assert talking.dropped > 0
    assert len(ids) <= 160 - 24


def test_a_prompt_without_turns_asks_each_question_alone(bases: dict[str, tuple[str, Path]]) -> None:
    talking = talk(bases["gpt2"], "plain")
    list(talking.ask("who?"))

    assert not talking.has_turns
    assert talking.history == []


@pytest.mark.parametrize("name", ["minicpm", "gpt2", "flan_t5"])
def test_what_is_written_piece_by_piece_is_what_generate_writes(bases: dict[str, tuple[str, Path]], name: str) -> None:
    talking = talk(bases[name], "plain")
    ids = list(encode({"instruction": "谁住在罗马?"}, talking.tokenizer, talking.form, max_tokens=99).ids)

    pieces = list(talking.ask("谁住在罗马?"))

    asked = torch.tensor([ids])
    with torch.no_grad():
        whole = talking.model.generate(
            asked, attention_mask=torch.ones_like(asked), max_new_tokens=24, do_sample=False, pad_token_id=0,
            eos_token_id=[talking.tokenizer.eos_token_id],
        )[0]  # fmt: skip
    written = whole[1:] if name == "flan_t5" else whole[len(ids) :]
    assert "".join(pieces) == talking.tokenizer.decode(written, skip_special_tokens=True).strip()
    assert all(pieces)


def test_half_a_character_is_never_shown(bases: dict[str, tuple[str, Path]], monkeypatch: pytest.MonkeyPatch) -> None:
    talking = talk(bases["gpt2"], "plain")
    ids = talking.tokenizer(" 罗马 \n 😀 ", add_special_tokens=False)["input_ids"]
    monkeypatch.setattr(Talk, "_tokens", lambda *_: iter(ids))

    assert list(talking.ask("where?")) == ["罗", "马", " \n 😀"]


def test_an_answer_ends_where_the_template_begins_another_turn(
    bases: dict[str, tuple[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    talking = talk(bases["gpt2"], "alpaca")
    texts = {1: "# one", 2: " ##", 3: " two ##", 4: "# Instr", 5: "uction:\nthree", 6: "four"}
    monkeypatch.setattr(talking, "_tokens", lambda _: iter(texts))
    monkeypatch.setattr(talking, "_text", lambda ids: "".join(texts[token] for token in ids))

    assert list(talking.ask("who?")) == ["# one", " ## two"]
    texts.pop(5)
    assert "".join(talking.ask("who?")) == "# one ## two ### Instrfour"
    texts.pop(6)
    assert "".join(talking.ask("who?")) == "# one ## two ### Instr"


def test_an_answer_that_is_stopped_is_remembered_as_far_as_it_went(bases: dict[str, tuple[str, Path]]) -> None:
    talking = talk(bases["minicpm"], "minicpm")

    with closing(talking.ask("who?")) as pieces:
        said = next(pieces)

    assert talking.history == [["who?", said]]


def test_what_chance_draws_goes_by_the_temperature(bases: dict[str, tuple[str, Path]]) -> None:
    talking = talk(bases["minicpm"], "minicpm", sampling=Sampling(5.0, 1.0))
    answers = set()
    for _ in range(3):
        answers.add("".join(talking.ask("who?")))
        talking.history.clear()

    assert len(answers) == 3


@pytest.mark.parametrize("method", ["prefix", "prompt"])
def test_what_stands_in_front_is_talked_to_as_it_was_trained(
    bases: dict[str, tuple[str, Path]], tmp_path: Path, method: str
) -> None:
    family, folder = bases["gpt2"]
    spec = train_tiny(folder, family, tmp_path, rows=24, method=method, virtual_tokens=4, learning_rate=0.5)

    with_front, without = (
        "".join(talk(bases["gpt2"], "plain", adapter=adapter).ask("who?")) for adapter in (Path(spec["out"]), None)
    )

    assert with_front != without
