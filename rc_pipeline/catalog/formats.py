"""What the catalog has to know of each raw format: its splits, and the columns that its rows hold for templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Format = Literal[
    "cosmos_qa", "trivia_qa", "alpaca", "sharegpt", "openai", "parallel", "identity", "squad", "super_ni", "mmlu",
    "bigbench", "records",
]  # fmt: skip
# How answers are judged; docs/scores.md has the rules of each.
Kind = Literal["choices", "trivia_qa", "squad", "rouge", "translation", "identity"]
USUAL_SPLITS = ("train", "valid", "test")
TALK = ("instruction", "input", "output", "system", "history")


@dataclass(frozen=True)
class FormatFacts:
    """One raw format, as the catalog sees it."""

    # Empty where each dataset names its own.
    columns: tuple[str, ...]
    # The column that is cut when a prompt is too long.
    passage: str = ""
    # Folder of catalog/tasks for datasets that have none of their own name; the format's name when left out.
    tasks: str = ""
    splits: tuple[str, ...] = USUAL_SPLITS
    train: str = "train"
    # The publishers keep these answers to themselves.
    unanswered: frozenset[str] = frozenset()
    # None where each dataset says it, or the kit of templates that it uses.
    scored_as: Kind | None = "rouge"


FACTS: dict[str, FormatFacts] = {
    "cosmos_qa": FormatFacts(
        ("id", "context", "question", "answer0", "answer1", "answer2", "answer3", "label"),
        passage="context",
        unanswered=frozenset({"test"}),
        scored_as="choices",
    ),
    "trivia_qa": FormatFacts(
        ("id", "question", "passage", "answer", "aliases"),
        passage="passage",
        splits=(
            "wikipedia-train", "wikipedia-dev", "wikipedia-test", "web-train", "web-dev", "web-test",
            "verified-wikipedia-dev", "verified-web-dev",
        ),
        train="wikipedia-train",
        unanswered=frozenset({"wikipedia-test", "web-test"}),
        scored_as="trivia_qa",
    ),
    "alpaca": FormatFacts(TALK, passage="input"),
    "sharegpt": FormatFacts(TALK, passage="input", tasks="alpaca"),
    "openai": FormatFacts(TALK, passage="input", tasks="alpaca"),
    "parallel": FormatFacts(
        ("source", "target", "source_language", "target_language", "source_name", "target_name", "source_name_zh",
         "target_name_zh"),
        passage="source",
        scored_as="translation",
    ),
    "identity": FormatFacts(("question", "answer", "topic", "language"), splits=("train",), scored_as="identity"),
    "squad": FormatFacts(
        ("id", "title", "context", "question", "answer", "answers"), passage="context", scored_as="squad"
    ),
    "super_ni": FormatFacts(("id", "task", "definition", "input", "output", "outputs"), passage="input"),
    "mmlu": FormatFacts(
        ("subject", "question", "answer0", "answer1", "answer2", "answer3", "label"),
        splits=("train", "dev", "valid", "test"),
        train="dev",
        scored_as="choices",
    ),
    "bigbench": FormatFacts(
        ("task", "input", "options", "label", "answer", "answers"), splits=("test",), train="", scored_as="choices"
    ),
    "records": FormatFacts((), scored_as=None),
}  # fmt: skip
FORMATS: tuple[str, ...] = get_args(Format)
# Folders of catalog/tasks that a dataset names for what it holds; it has these columns, and a passage that may be cut.
KITS: dict[str, tuple[str, ...]] = {
    "reading": ("passage", "question", "answer"),
    "classification": ("passage", "answer"),
    "summarisation": ("passage", "answer"),
    "squad_2": FACTS["squad"].columns,
}
KIT_KINDS: dict[str, Kind] = {"reading": "squad", "classification": "choices", "summarisation": "rouge"}
