"""A tiny model asked something of every format, by the project's own job, and scored: one run, every kind of answer."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from click.testing import CliRunner, Result

from rc_pipeline.catalog.formats import FACTS, KITS
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lake.store import Artifact, Store

SQUAD = {
    "data": [{"title": "Rain", "paragraphs": [{
        "context": "Rain fell on Lima in May. 五月利马下雨了。",
        "qas": [
            {"id": "1", "question": "Where did rain fall?", "answers": [{"text": "Lima", "answer_start": 13}]},
            {"id": "2", "question": "什么时候下雨了？", "answers": [{"text": "五月", "answer_start": 26}]},
            {"id": "3", "question": "Why did it rain?", "answers": [], "is_impossible": True},
        ],
    }]}]
}  # fmt: skip
FILES = {
    "mmlu/test/birds_test.csv": "Which bird swims?,Duck,Owl,Wren,Kite,A\nWhat sings?,Stone,Wren,Rain,Sand,B\n",
    "mmlu/test/seas_test.csv": "Which sea is salt?,Dead,None of the above,Tea,Milk,A\n",
    "bench/sums/task.json": json.dumps({"name": "sums", "examples": [
        {"input": "Is 2 even?", "target_scores": {"yes": 1, "no": 0}}, {"input": "1 + 1", "target": ["2", "two"]}]}),
    "quad/dev-v2.0.json": json.dumps(SQUAD, ensure_ascii=False),
    "pairs/valid.tsv": "Good morning.\t早上好。\nThank you.\t谢谢你。\nIt rains.\t下雨了。\n",
    "talk/valid.json": json.dumps([{"instruction": "Name a fruit.", "input": "", "output": "An apple"},
                                   {"instruction": "说一种水果。", "input": "", "output": "苹果"}]),
    "tasks/test/task1.json": json.dumps({"Definition": ["Answer."], "Instances": [
        {"id": "task1-1", "input": "Sky?", "output": ["blue", "it is blue"]}]}),
    "own/valid.csv": "text,question,answer\nRain fell on Lima.,Where did rain fall?,Lima\n",
    "sorted/valid.csv": "text,answer\nRain fell on Lima.,weather\nThe bank closed.,money\n",
    "short/valid.csv": "text,answer\nRain fell on Lima for a day and a night.,Rain fell.\n",
}  # fmt: skip


def card(fmt: str, file: str, source: str, **more: Any) -> dict[str, Any]:
    return {"title": "Tiny", "format": fmt, "source": {"files": {file: source}}, **more}


TEXT = {"passage": "text", "answer": "answer"}
SAMPLE = {"sample": {"seed": 3, "train": 4, "valid": 4, "test": 4}}
DATASETS = {
    "tiny_mmlu": card("mmlu", "data", "mmlu"),
    "tiny_bench": card("bigbench", "data", "bench"),
    "tiny_squad": card("squad", "dev-v2.0.json", "quad/dev-v2.0.json", tasks="squad_2"),
    "tiny_pairs": card("parallel", "valid.tsv", "pairs/valid.tsv", languages={"source": "en", "target": "zh"}),
    "tiny_talk": card("alpaca", "valid.json", "talk/valid.json"),
    "tiny_tasks": card("super_ni", "test", "tasks/test"),
    "tiny_own": card("records", "valid.csv", "own/valid.csv", tasks="reading", columns=TEXT | {"question": "question"}),
    "tiny_sorted": card("records", "valid.csv", "sorted/valid.csv", tasks="classification", columns=TEXT),
    "tiny_short": card("records", "valid.csv", "short/valid.csv", tasks="summarisation", columns=TEXT),
    "tiny_self": {
        "title": "Tiny", "format": "identity", "holdout": {"valid": 0.1}, "tasks": "identity",
        "source": {"identity": {"zh": {"name": "小雨", "developers": "雨社", "abilities": ["答题"]}}},
    },
    "tiny_cosmos": {"title": "Tiny", "format": "cosmos_qa", "source": SAMPLE, "tasks": "sample_cosmos"},
    "tiny_trivia": {"title": "Tiny", "format": "trivia_qa", "source": SAMPLE, "tasks": "sample_trivia"},
}  # fmt: skip
TEXTS = {"rouge_1", "rouge_2", "rouge_l", "exact_match"}
EXPECTED = {
    "tiny_mmlu/test": {"accuracy"},
    "tiny_bench/test": {"accuracy"},
    "tiny_squad/valid": {"exact_match", "f1"},
    "tiny_pairs/valid": {"bleu", "chrf", "sentence_chrf"},
    "tiny_talk/valid": TEXTS,
    "tiny_tasks/test": TEXTS,
    "tiny_own/valid": {"exact_match", "f1"},
    "tiny_sorted/valid": {"accuracy"},
    "tiny_short/valid": TEXTS,
    "tiny_self/valid": {"identity_recall"},
    "tiny_cosmos/valid": {"accuracy"},
    "tiny_cosmos/test": {"accuracy"},
    "tiny_trivia/web-dev": {"exact_match", "f1"},
    "tiny_trivia/wikipedia-dev": {"exact_match", "f1"},
}


@dataclass(frozen=True)
class Tiny:
    lake: Path
    catalog: Path

    def built(self, key: str) -> Artifact:
        return Store(self.lake).all_heads()[key]

    def scores(self, eval_set: str) -> dict[str, tuple[float | None, int]]:
        rows = pl.read_parquet(self.built(f"scores/tiny/{eval_set}").folder / "scores.parquet")
        return {metric: (value, n) for metric, value, n in rows.select("metric", "value", "n").iter_rows()}

    def questions(self, eval_set: str) -> list[dict[str, Any]]:
        return pl.read_parquet(self.built(f"scores/tiny/{eval_set}").folder / "questions.parquet").to_dicts()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    import dagster as dg

    from rc_pipeline.definitions import build_definitions
    from resources.compute import InlineCompute

    folder = tmp_path_factory.mktemp("kinds")
    made = Tiny(folder / "lake", folder / "catalog")
    for name, text in FILES.items():
        (made.lake / "inbox" / name).parent.mkdir(parents=True, exist_ok=True)
        (made.lake / "inbox" / name).write_text(text, encoding="utf-8")
    shutil.copytree(PROJECT / "catalog" / "prompts", made.catalog / "prompts")
    for path in (PROJECT / "catalog" / "tasks").iterdir():
        if path.name in {*FACTS, *KITS, "sample_cosmos", "sample_trivia"}:
            shutil.copytree(path, made.catalog / "tasks" / path.name)
    (made.catalog / "models").mkdir()
    shutil.copy(PROJECT / "catalog" / "models" / "rc_tiny.yaml", made.catalog / "models")
    for name, data in DATASETS.items():
        write(made.catalog / "datasets" / f"{name}.yaml", data)
    answer = {"max_new_tokens": 8, "perplexity": True, "choose_by": ["likelihood", "letter"]}
    run = {"model": "rc_tiny", "answer": answer}
    write(
        made.catalog / "studies" / "kinds.yaml",
        {"title": "Kinds", "contamination": False, "evaluate_on": [*EXPECTED], "runs": {"tiny": run}},
    )
    job = build_definitions(made.catalog, made.lake, InlineCompute()).resolve_job_def("kinds")
    assert job.execute_in_process(instance=dg.DagsterInstance.ephemeral()).success
    return made


def write(path: Path, data: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("eval_set", EXPECTED)
def test_answers_of_every_format_are_scored_by_their_kind(tiny: Tiny, eval_set: str) -> None:
    scores = tiny.scores(eval_set)

    assert EXPECTED[eval_set] <= set(scores)
    unanswered = eval_set == "tiny_cosmos/test"
    assert all((value is None) is unanswered for metric, (value, _) in scores.items() if metric in EXPECTED[eval_set])


@pytest.mark.slow
def test_scores_that_were_asked_for_come_on_top(tiny: Tiny) -> None:
    assert {"perplexity", "accuracy_letter", "accuracy_likelihood"} <= set(tiny.scores("tiny_mmlu/test"))
    assert tiny.scores("tiny_pairs/valid")["perplexity"][0] > 1


@pytest.mark.slow
def test_a_question_that_no_passage_answers_is_scored_by_what_its_template_says_instead(tiny: Tiny) -> None:
    gold = {row["row_id"].rsplit("/", 1)[1]: row["gold"] for row in tiny.questions("tiny_squad/valid")}
    assert gold == {"1": "Lima", "2": "五月", "3": "unanswerable"}


@pytest.mark.slow
def test_web_keys_are_pages_and_wikipedia_keys_are_questions(tiny: Tiny) -> None:
    web = [row["key"] for row in tiny.questions("tiny_trivia/web-dev")]
    assert web
    assert all("--" in key for key in web)
    assert not any("--" in row["key"] for row in tiny.questions("tiny_trivia/wikipedia-dev"))


@pytest.fixture
def submit(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    from rc_pipeline.cli import main
    from rc_pipeline.lineage import load_lineage

    monkeypatch.setenv("RC_LAKE", str(tiny.lake))
    monkeypatch.setattr(
        "rc_pipeline.commands.entry.load_lineage", lambda lake: load_lineage(catalog=tiny.catalog, lake=lake)
    )

    def call(eval_set: str, out: Path, *more: str, code: int = 0) -> Result:
        done = CliRunner().invoke(main, ["submission", "tiny", eval_set, "--to", str(out), *more])
        assert done.exit_code == code, done.output
        return done

    return call


@pytest.mark.slow
def test_a_test_split_is_submitted_as_lines_and_as_a_table(tiny: Tiny, submit: Any, tmp_path: Path) -> None:
    submit("tiny_cosmos/test", tmp_path / "out")

    table = pl.read_parquet(tiny.built("tables/tiny_cosmos").folder / "test.parquet")
    choice = {row["row_id"]: row["choice"] for row in tiny.questions("tiny_cosmos/test")}
    labels = [str(choice[row_id]) for row_id in table["row_id"]]
    assert (tmp_path / "out" / "labels.txt").read_text() == "".join(f"{label}\n" for label in labels)
    with (tmp_path / "out" / "labels.csv").open() as file:
        assert list(csv.reader(file)) == [["id", "label"], *map(list, zip(table["id"], labels, strict=True))]


@pytest.mark.slow
def test_submitted_answers_get_the_scores_of_the_run_from_the_official_rules(
    tiny: Tiny, submit: Any, tmp_path: Path
) -> None:
    from rc_pipeline.official.trivia import evaluate, read_predictions, read_questions

    for domain in ("web", "wikipedia"):
        submit(f"tiny_trivia/{domain}-dev", tmp_path / domain)
        (archive,) = tiny.built("raw/tiny_trivia").folder.rglob("*.tar.gz")
        shutil.unpack_archive(archive, tmp_path / "raw", filter="data")
        (questions,) = (tmp_path / "raw").rglob(f"{domain}-dev.json")
        found = evaluate(read_questions(questions), read_predictions(tmp_path / domain / "predictions.json"))
        scores = tiny.scores(f"tiny_trivia/{domain}-dev")
        assert (found["missing"], found["extra"]) == ([], [])
        assert {name: (found[name], found["denominator"]) for name in ("exact_match", "f1")} == {
            name: scores[name] for name in ("exact_match", "f1")
        }


@pytest.mark.slow
def test_what_cannot_be_submitted_is_refused_before_a_folder_is_made(submit: Any, tmp_path: Path) -> None:
    for eval_set, reason in {
        "tiny_mmlu/test": "format mmlu: no leaderboard", "tiny_cosmos/train": "no such asset",
    }.items():  # fmt: skip
        assert reason in submit(eval_set, tmp_path / "out", code=1).output
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").mkdir()
    assert "is there already" in submit("tiny_cosmos/test", tmp_path / "mine", code=1).output
