"""The sample world: small Cosmos QA and TriviaQA files in the exact upstream formats."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from rc_pipeline.corpora.sample_documents import Course, documents
from rc_pipeline.corpora.sample_names import Pool
from rc_pipeline.corpora.sample_text import Asked, Fact, Passage, article, natural, story

COSMOS_HEADER = ["id", "context", "question", "answer0", "answer1", "answer2", "answer3", "label"]
NONE_OF_THEM = "None of the above choices ."


def pretraining_documents(seed: int, course: Course = "near") -> Iterator[str]:
    """Yield documents of the sample world without end; none names a held-out person or place."""
    return documents(seed, course)


def write_cosmos(folder: Path, *, seed: int, train: int, valid: int, test: int) -> list[Path]:
    """Write train.csv, valid.csv and test.jsonl with that many rows, as Cosmos QA lays them out."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "train.csv", folder / "valid.csv", folder / "test.jsonl"]
    _write_csv(paths[0], _cosmos_rows("train", "learn", seed, train))
    _write_csv(paths[1], _cosmos_rows("valid", "valid", seed, valid))
    lines = [
        json.dumps({key: value for key, value in row.items() if key != "label"})
        for row in _cosmos_rows("test", "test", seed, test)
    ]
    paths[2].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")
    return paths


def _write_csv(path: Path, rows: list[dict[str, str | int]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COSMOS_HEADER, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)


def _cosmos_rows(split: str, pool: Pool, seed: int, count: int) -> list[dict[str, str | int]]:
    """Write two to four questions a story until there are enough rows."""
    rng = Random(f"cosmos {split} {seed}")  # noqa: S311
    rows: list[dict[str, str | int]] = []
    told: set[str] = set()
    while len(rows) < count:
        passage = story(rng, pool)
        if passage.text in told:
            continue
        told.add(passage.text)
        choices = [(fact, turn) for fact in passage.facts for turn in range(len(fact.asked))]
        for fact, turn in rng.sample(choices, rng.randint(2, 4))[: count - len(rows)]:
            options, label = _options(rng, passage, fact, turn)
            answers = {f"answer{place}": option for place, option in enumerate(options)}
            rows.append(
                {
                    "id": f"{rng.getrandbits(64):016X}##{pool}_{len(told)}##Blog_{len(rows)}##q1_a1",
                    "context": passage.text,
                    "question": fact.asked[turn].question,
                    **answers,
                    "label": label,
                }
            )
    return rows


def _options(rng: Random, passage: Passage, fact: Fact, turn: int) -> tuple[list[str], int]:
    """Return four options that are all in the passage, but for an occasional `None of ...`."""
    gold = fact.asked[turn].answer
    others = [other.asked[turn].answer for other in passage.facts if other is not fact]
    rng.shuffle(others)
    draw = rng.random()
    if draw < 0.2:
        others[0] = NONE_OF_THEM
    elif draw < 0.22:
        gold = NONE_OF_THEM
    label = rng.randrange(4)
    return [*others[:label], gold, *others[label:]], label


def write_trivia(folder: Path, *, seed: int, train: int, dev: int, test: int) -> list[Path]:
    """Write triviaqa-rc.tar.gz: that many Wikipedia questions, and a tenth as many of the web."""
    folder.mkdir(parents=True, exist_ok=True)
    members: dict[str, bytes] = {}
    splits: list[tuple[str, Pool, int]] = [
        ("train", "learn", train),
        ("dev", "valid", dev),
        ("test-without-answers", "test", test),
    ]
    for domain in ("wikipedia", "web"):
        for split, pool, count in splits:
            rng = Random(f"trivia {domain} {split} {seed}")  # noqa: S311
            wanted = count if domain == "wikipedia" else max(1, count // 10)
            data = _TriviaWriter(rng, pool, domain, split, members).questions(wanted)
            members[f"qa/{domain}-{split}.json"] = _qa_file(data, domain, split, verified=False)
            if split == "dev":
                kept = [_verified(datum) for datum in data[: max(1, wanted // 10)]]
                name = f"qa/verified-{domain}-dev.json"
                members[name] = _qa_file(kept, domain, "verified-dev", verified=True)
    path = folder / "triviaqa-rc.tar.gz"
    _write_tar(path, members)
    return [path]


def _qa_file(data: list[dict[str, Any]], domain: str, split: str, *, verified: bool) -> bytes:
    whole = {
        "Data": data,
        "Domain": "Wikipedia" if domain == "wikipedia" else "Web",
        "Split": split,
        "VerifiedEval": verified,
        "Version": 1.0,
    }
    return json.dumps(whole, indent=4, ensure_ascii=True).encode()


def _verified(datum: dict[str, Any]) -> dict[str, Any]:
    marked = {**datum, "QuestionPartOfVerifiedEval": True}
    for key in ("EntityPages", "SearchResults"):
        if key in datum:
            marked[key] = [{**page, "DocPartOfVerifiedEval": True} for page in datum[key]]
    return marked


def _write_tar(path: Path, members: dict[str, bytes]) -> None:
    """Write members in sorted order without times or owners: the same bytes every time."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name in sorted(members):
            info = tarfile.TarInfo(name)
            info.size = len(members[name])
            tar.addfile(info, io.BytesIO(members[name]))


class _TriviaWriter:
    """Writes the questions of one file and adds their evidence to the members of the archive."""

    def __init__(self, rng: Random, pool: Pool, domain: str, split: str, members: dict[str, bytes]) -> None:
        self.rng, self.pool, self.domain, self.split = rng, pool, domain, split
        self.members = members
        self.prefix = {"wikipedia": "sw", "web": "sb"}[domain]

    def questions(self, count: int) -> list[dict[str, Any]]:
        """Ask one to three questions of each article until there are enough."""
        data: list[dict[str, Any]] = []
        while len(data) < count:
            passage = article(self.rng, self.pool)
            pages = self._pages(passage)
            facts = self.rng.sample(passage.facts, self.rng.randint(1, 3))
            for fact in facts[: count - len(data)]:
                data.append(self._datum(fact, pages, len(data)))
        return data

    def _pages(self, passage: Passage) -> dict[str, list[dict[str, Any]]]:
        """Store the article, and now and then a second one on other subjects."""
        found = [self._page(passage, rank=1)]
        if self.rng.random() < 0.15:
            known = {fact.subject for fact in passage.facts}
            other = article(self.rng, self.pool)
            if known.isdisjoint(fact.subject for fact in other.facts):
                found.append(self._page(other, rank=2))
        if self.domain == "wikipedia":
            return {"EntityPages": found}
        return {"EntityPages": [], "SearchResults": found}

    def _page(self, passage: Passage, rank: int) -> dict[str, Any]:
        sentences = [natural(sentence) for sentence in passage.sentences]
        body = "\n\n".join(" ".join(sentences[at : at + 2]) for at in range(0, len(sentences), 2))
        if self.domain == "wikipedia":
            name = self._free_name(passage.title)
            self.members[f"evidence/wikipedia/{name}"] = f"{body}\n".encode()
            return {
                "DocSource": "TagMe",
                "Filename": name,
                "LinkProbability": f"{self.rng.random():.5f}",
                "Rho": f"{self.rng.random():.5f}",
                "Title": passage.title,
            }
        folder = self.rng.randrange(100)
        name = f"{folder}/{folder}_{self.rng.randrange(10_000_000)}.txt"
        self.members[f"evidence/web/{name}"] = f"{body}\n".encode()
        return {
            "Description": sentences[0],
            "DisplayUrl": f"www.example.org/{passage.title}",
            "Filename": name,
            "Rank": rank,
            "Title": passage.title,
            "Url": f"http://www.example.org/{passage.title}",
        }

    def _free_name(self, title: str) -> str:
        """Return a file name as Wikipedia's are: a title, told apart in brackets if it is taken."""
        name, number = f"{title}.txt", 1
        while f"evidence/wikipedia/{name}" in self.members:
            number += 1
            name = f"{title}_({number}).txt"
        return name

    def _datum(self, fact: Fact, pages: dict[str, list[dict[str, Any]]], number: int) -> dict[str, Any]:
        asked = self.rng.choice(fact.asked)
        datum: dict[str, Any] = {
            **pages,
            "Question": natural(asked.question),
            "QuestionId": f"{self.prefix}_{self.pool}_{number}",
            "QuestionSource": "http://www.example.org/quiz",
        }
        if self.split != "test-without-answers":
            datum["Answer"] = _answer(asked, fact)
        return {key: datum[key] for key in sorted(datum)}


def _answer(asked: Asked, fact: Fact) -> dict[str, Any]:
    aliases = {
        "place": [asked.answer, f"{asked.answer} town", f"The town of {asked.answer}"],
        "person": [asked.answer, f"Mayor {asked.answer}"],
        "thing": [asked.answer, f"one {asked.answer}"],
    }[fact.value_kind]
    entity = fact.value_kind != "thing"
    return {
        "Aliases": aliases,
        "MatchedWikiEntityName": asked.answer if entity else "",
        "NormalizedAliases": sorted({normalise(alias) for alias in aliases}),
        "NormalizedMatchedWikiEntityName": normalise(asked.answer) if entity else "",
        "NormalizedValue": normalise(asked.answer),
        "Type": "WikipediaEntity" if entity else "FreeForm",
        "Value": asked.answer,
    }


def normalise(text: str) -> str:
    """Normalise an answer as TriviaQA's own files have it."""
    words = re.sub(r"[^\w\s]|_", " ", text.lower()).split()
    return " ".join(word for word in words if word not in {"a", "an", "the"})
