"""BIG-bench: one JSON document a task, whose examples have a target text or scored options.

The examples of BIG-Bench Hard are laid out the same way.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import Any

from rc_pipeline.corpora.inventory import RawFile, without_suffix
from rc_pipeline.corpora.json_stream import JsonDocument
from rc_pipeline.corpora.readers import BadRow, CorpusError, Row, first_text_fault, text_fault
from rc_pipeline.lake.canonical import stable_hash

DOCUMENT, PROGRAM = "task.json", "task.py"
MEMORY_BYTES = 64 << 20


@dataclass(frozen=True)
class _Task:
    """What a document says of all of its examples."""

    name: str
    prefix: str
    shows_options: bool


class Layout:
    """Which of the files are tasks: <task>/task.json or <any name>.json, not what lies in a task's own folder."""

    def __init__(self, names: Set[str]) -> None:
        self._names = names
        self._folders = {_folder(name) for name in names if name.endswith((f"/{DOCUMENT}", f"/{PROGRAM}"))}

    def is_task(self, name: str) -> bool:
        """Tell whether a file is a JSON task."""
        path = PurePosixPath(name)
        if path.name == DOCUMENT or "/" not in name:
            return True
        return name.endswith((".json", ".json.gz")) and not any(str(folder) in self._folders for folder in path.parents)

    def is_program(self, name: str) -> bool:
        """Tell whether a file is a task that is a program, with no examples to read."""
        return PurePosixPath(name).name == PROGRAM and f"{_folder(name)}/{DOCUMENT}" not in self._names

    def has_subtasks(self, name: str) -> bool:
        """Tell whether tasks lie below the folder of this one, which then has no examples of its own."""
        below = (other for other in self._names - {name} if other.startswith(f"{_folder(name)}/"))
        return any(other.endswith(f"/{DOCUMENT}") for other in below)


def _folder(name: str) -> str:
    return str(PurePosixPath(name).parent)


def part_name(name: str) -> str:
    """Return the name of the task that a file is, folders included."""
    path = PurePosixPath(name)
    return _folder(name) if path.name in (DOCUMENT, PROGRAM) and len(path.parts) > 1 else without_suffix(name)


def read_task(file: RawFile, layout: Layout) -> Iterator[Row | BadRow]:
    """Yield the examples of a task."""
    # What a document says of its examples may come after them, and a member of an archive can be read only once.
    with SpooledTemporaryFile(MEMORY_BYTES) as copy:
        shutil.copyfileobj(file.data, copy)
        copy.seek(0)
        task = _facts(JsonDocument("examples", copy, str(file)), file, layout)
        if task is None:
            return
        copy.seek(0)
        for line, example in JsonDocument("examples", copy, str(file)).elements():
            yield _row(example, task, file.name, line)


def program(name: str) -> BadRow:
    """Return the bad row that stands for a task without examples."""
    return BadRow("task_is_a_program", name, 1, "the task", part_name(name), {"task": part_name(name)})


def _facts(document: JsonDocument, file: RawFile, layout: Layout) -> _Task | None:
    for _ in document.elements():
        pass
    if not document.has_list:
        if layout.has_subtasks(file.name):
            return None
        raise document.lacks_list()
    prefix, shown = document.facts.get("task_prefix", ""), document.facts.get("append_choices_to_input", True)
    if text_fault(prefix):
        raise CorpusError(f"{file}: task_prefix is {prefix!a}. Write it as UTF-8 text.")
    if not isinstance(shown, bool):
        raise CorpusError(f"{file}: append_choices_to_input is {shown!r}. Write true or false.")
    # The folders above the tasks of the published repository say nothing.
    return _Task(part_name(file.name).split("benchmark_tasks/")[-1], prefix.strip(), shown)


def _row(example: Any, task: _Task, file: str, line: int) -> Row | BadRow:
    if not isinstance(example, dict):
        return BadRow("not_an_object", file, line, "the row", str(example), example)
    bad = first_text_fault(example, ("input",), file, line)
    if bad:
        return bad
    scores, targets = example.get("target_scores"), example.get("target")
    # Where options are not to be shown, the answer is to be found without them: they would give it away.
    told = _chosen(example) if scores is not None and (task.shows_options or targets is None) else _told(targets)
    if isinstance(told, _Fault):
        return BadRow(told.reason, file, line, told.field, told.value, example)
    asked = f"{task.prefix}\n\n{example['input']}" if task.prefix else example["input"]
    return Row({"task": task.name, "input": asked, **told}, file, line)


@dataclass(frozen=True)
class _Fault:
    reason: str
    field: str
    value: str


def _told(targets: Any) -> dict[str, Any] | _Fault:
    if targets is None:
        return _Fault("missing_field", "target", "")
    # A number is an answer like any other, and says what its digits say.
    answers = [
        json.dumps(target) if _is_number(target) else target
        for target in (targets if isinstance(targets, list) else [targets])
    ]
    for answer in answers:
        if fault := text_fault(answer):
            return _Fault(fault, "target", str(answer))
    answers = list(dict.fromkeys(answer for answer in answers if answer.strip()))
    return {"options": None, "label": None, "answer": answers[0] if answers else "", "answers": answers}


def _chosen(example: dict[str, Any]) -> dict[str, Any] | _Fault:
    scores = example["target_scores"]
    if not isinstance(scores, dict) or not all(map(_is_number, scores.values())):
        return _Fault("not_scores", "target_scores", str(scores))
    for option in scores:
        if text_fault(option) or not option.strip():
            return _Fault("bad_utf8" if option.strip() else "empty_option", "target_scores", str(option))
    best = max(scores.values(), default=0)
    if best == min(scores.values(), default=0):
        return _Fault("no_best_option", "target_scores", str(scores))
    # Many tasks list the right option first, so the order is another one for every question, and always the same.
    options = sorted(scores, key=lambda option: (stable_hash(0, example["input"], option), option))
    answers = [option for option in options if scores[option] == best]
    return {"options": options, "label": options.index(answers[0]), "answer": answers[0], "answers": answers}


def _is_number(value: object) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))
