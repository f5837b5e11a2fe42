"""A made-up archive in the format of triviaqa-rc.tar.gz, as large as is asked for."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MEAN_DOCUMENT_BYTES = 14_000
QA_SHARE = 0.12
WORDS, PHRASES = 100_000, 400_000
SYLLABLES = "a ba ko ri the ing er an on at en nd ti es or te of ed is it al ar st to nt u mo pla ch ew".split()  # noqa: SIM905
RARE = ("é", "ö", "–", "的", "’")


class _Writer:
    """Text whose words and phrases come up as often as in English: some go on for ever, most are rare."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        lengths = self.random.integers(1, 5, WORDS)
        words = ["".join(self.random.choice(SYLLABLES, n)) for n in lengths]
        # Most of English is ASCII; about one word in two hundred of these is not.
        for at in range(50, WORDS, 25):
            words[at] += RARE[at % len(RARE)]
        starts = _often(self.random, WORDS, 2 * PHRASES)
        self._phrases = [
            " ".join(words[at] for at in starts[i : i + 1 + i % 2]) + (". " if i % 5 == 0 else " ")
            for i in range(PHRASES)
        ]

    def text(self, size: int) -> str:
        """Return about `size` bytes of text in lines."""
        found = _often(self.random, PHRASES, max(1, size // 10))
        parts = [self._phrases[at] for at in found]
        for at in range(80, len(parts), 80):
            parts[at] = "\n"
        return "".join(parts)

    def document_bytes(self) -> int:
        """Return the size of a document: log-normal, so that some are a hundred times the mean."""
        return int(min(self.random.lognormal(np.log(MEAN_DOCUMENT_BYTES) - 0.6, 1.1), 4 << 20))


def _often(random: np.random.Generator, kinds: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Draw indices so that the n-th is about 1/n as frequent as the first."""
    return (np.power(float(kinds), random.random(count) ** 0.8) - 1).astype(np.int64)


@dataclass(frozen=True)
class Made:
    """What an archive holds."""

    size: int
    documents: int
    document_bytes: int


def write_archive(path: Path, size: int, seed: int = 1) -> Made:
    """Write an archive of about `size` bytes unpacked."""
    writer = _Writer(seed)
    total = documents = 0
    names: dict[str, list[str]] = {"web": [], "wikipedia": []}
    with gzip.open(path, "wb", compresslevel=6) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:

        def add(name: str, data: bytes) -> None:
            nonlocal total
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
            total += len(data)

        while total < size * (1 - QA_SHARE):
            domain = "wikipedia" if documents % 6 == 0 else "web"
            at = len(names[domain])
            name = f"{at // 200}/{at // 200}_{at}.txt" if domain == "web" else f"Article_{at}_(é).txt"
            names[domain].append(name)
            add(f"triviaqa-rc/evidence/{domain}/{name}", writer.text(writer.document_bytes()).encode())
            documents += 1
        document_bytes, left = total, size - total
        for split, share in (("web-train", 0.7), ("wikipedia-train", 0.1), ("web-dev", 0.12), ("wikipedia-dev", 0.08)):
            add(f"triviaqa-rc/qa/{split}.json", _qa_file(writer, split, names, int(left * share)))
    return Made(total, documents, document_bytes)


def _qa_file(writer: _Writer, split: str, names: dict[str, list[str]], size: int) -> bytes:
    data: list[bytes] = []
    length = 0
    while length < size:
        datum = json.dumps(_datum(writer, split, len(data), names), indent=2).replace("\n", "\n    ").encode()
        data.append(datum)
        length += len(datum)
    domain, part = split.split("-")
    end = json.dumps({"Domain": domain.title(), "Split": part, "VerifiedEval": False, "Version": 1.0}).encode()
    return b'{\n  "Data": [\n    ' + b",\n    ".join(data) + b"\n  ],\n" + end[1:]


def _datum(writer: _Writer, split: str, number: int, names: dict[str, list[str]]) -> dict[str, Any]:
    aliases = [writer.text(18).strip() or "a" for _ in range(8)]
    answer = {
        "Aliases": aliases,
        "NormalizedAliases": [alias.lower() for alias in aliases],
        "MatchedWikiEntityName": "",
        "NormalizedMatchedWikiEntityName": "",
        "NormalizedValue": aliases[0].lower(),
        "Type": "WikipediaEntity",
        "Value": aliases[0],
    }
    datum: dict[str, Any] = {
        "Answer": answer,
        "EntityPages": [
            {
                "DocSource": "TagMe",
                "Filename": name,
                "LinkProbability": "0.04468",
                "Rho": "0.22344",
                "Title": name[:-4],
            }
            for name in _some(writer, names["wikipedia"], 2)
        ],
        "Question": writer.text(90).strip() + "?",
        "QuestionId": f"tc_{number}",
        "QuestionSource": "http://www.triviacountry.com/",
    }
    if split.startswith("web"):
        datum["SearchResults"] = [
            {
                "Description": writer.text(280),
                "DisplayUrl": "www.example.org/wiki/Page",
                "Filename": name,
                "Rank": rank,
                "Title": writer.text(50).strip(),
                "Url": f"http://www.example.org/wiki/{name}",
            }
            for rank, name in enumerate(_some(writer, names["web"], 6))
        ]
    return datum


def _some(writer: _Writer, names: list[str], count: int) -> list[str]:
    return [names[at] for at in writer.random.integers(0, len(names), min(count, len(names)))]
