"""Super-NaturalInstructions: one JSON document a task, with its definition and its instances."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from rc_pipeline.corpora.inventory import RawFile, without_suffix
from rc_pipeline.corpora.json_stream import JsonDocument
from rc_pipeline.corpora.readers import BadRow, CorpusError, Row, first_text_fault, text_fault


def is_task(name: str) -> bool:
    """Tell a task from what lies beside it, such as the README of the tasks folder."""
    return "/" not in name or name.endswith((".json", ".json.gz"))


def read_task(file: RawFile) -> Iterator[Row | BadRow]:
    """Yield the instances of a task with its definition; outputs are all the answers that it accepts."""
    document = JsonDocument("Instances", file.data, str(file))
    task, definition, ids = without_suffix(PurePosixPath(file.name).name), None, set[str]()
    for line, instance in document.elements():
        definition = definition or _definition(document, line, str(file))
        row = _row(instance, task, definition, file.name, line)
        if isinstance(row, Row):
            if row.key in ids:
                row = BadRow("duplicate_id", file.name, line, "id", row.key, instance)
            else:
                ids.add(row.key)
        yield row
    if not document.has_list:
        raise document.lacks_list()


def _definition(document: JsonDocument, line: int, file: str) -> Any:
    """Return the definition, whose parts are one text."""
    said = document.facts.get("Definition")
    if said is None:
        raise CorpusError(
            f"{file}, line {line}: the instances begin and there was no Definition. Write it before Instances."
        )
    if isinstance(said, list) and all(isinstance(part, str) for part in said):
        return "\n".join(said)
    return said


def _row(instance: Any, task: str, definition: object, file: str, line: int) -> Row | BadRow:
    if not isinstance(instance, dict):
        return BadRow("not_an_object", file, line, "the row", str(instance), instance)
    bad = first_text_fault({**instance, "definition": definition}, ("definition", "id", "input"), file, line)
    if bad:
        return bad
    if "output" not in instance:
        return BadRow("missing_field", file, line, "output", "", instance)
    said = instance["output"]
    outputs = said if isinstance(said, list) else [said]
    fault = next(filter(None, map(text_fault, outputs)), None)
    if fault:
        return BadRow(fault, file, line, "output", str(said), instance)
    outputs = list(dict.fromkeys(output for output in outputs if output.strip()))
    kept = {"id": instance["id"], "task": task, "definition": definition, "input": instance["input"]}
    return Row({**kept, "output": outputs[0] if outputs else "", "outputs": outputs}, file, line, instance["id"])
