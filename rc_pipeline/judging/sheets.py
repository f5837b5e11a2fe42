"""A sheet for people: questions and answers in a drawn order, without a run's name, and a key kept apart."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rc_pipeline.judging.items import Contents, Item
from rc_pipeline.judging.records import FOLDER
from rc_pipeline.lake.canonical import sha256_json, stable_hash
from rc_pipeline.lake.durable import write_atomically
from rc_pipeline.xray.visible import shortened, visible

BETTER, GRADE, COMMENT = "better", "grade", "comment"
# A spreadsheet takes no more than 32,767 characters in a cell.
MOST_IN_A_CELL = 32_000
# What a spreadsheet may take for a formula, the wide forms of East Asian keyboards included.
_FORMULA = tuple("=+-@＝＋－＠")


@dataclass(frozen=True)
class Shown:
    """What stands behind one line of a sheet."""

    key: str
    instruction_id: str
    cluster: str
    digest: str
    answers: list[str]
    swapped: bool


@dataclass(frozen=True)
class Sheet:
    """The key of a sheet: which line is which question, and whose answer is A."""

    name: str
    kind: str
    contents: Contents
    seed: int
    lines: dict[str, Shown]

    @property
    def column(self) -> str:
        """The column that people fill in."""
        return BETTER if self.kind == "pairs" else GRADE


def make_sheet(contents: Contents, items: Sequence[Item], seed: int) -> Sheet:
    """Return the key of a sheet; the same items and seed make the same."""
    kind = "pairs" if len(contents.runs) == 2 else "grades"
    # A letter first, or a spreadsheet might see a number.
    name = "s" + sha256_json([kind, contents.eval_set, contents.runs, seed, [item.digest for item in items]])[:10]
    lines = {f"{name}-{number:04}": _shown(item, seed) for number, item in enumerate(items, 1)}
    return Sheet(name, kind, contents, seed, lines)


def _shown(item: Item, seed: int) -> Shown:
    swapped = len(item.answers) == 2 and stable_hash(seed, "swapped", item.key) % 2 == 1
    return Shown(item.key, item.instruction_id, item.cluster, item.digest, list(item.answers), swapped)


def write_sheet(sheet: Sheet, items: Sequence[Item], out: Path, lake: Path, *, bom: bool) -> None:
    """Write the sheet for people, and its key into the lake."""
    if out.exists():
        raise ValueError(f"{out} is there already, perhaps with ratings in it; name another file")
    answers = ["answer_a", "answer_b"] if sheet.kind == "pairs" else ["answer"]
    table = io.StringIO()
    writer = csv.writer(table, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "question", "passage", "accepted", *answers, sheet.column, COMMENT])
    for (name, shown), item in zip(sheet.lines.items(), items, strict=True):
        said = reversed(item.answers) if shown.swapped else item.answers
        texts = [item.question, item.passage, " | ".join(item.accepted), *said]
        writer.writerow([name, *map(harmless, texts), "", ""])
    write_atomically(_key_file(lake, sheet.name), json.dumps(asdict(sheet)).encode())
    write_atomically(out, table.getvalue().encode("utf-8-sig" if bom else "utf-8", "replace"))


def harmless(text: str) -> str:
    """Return text that a spreadsheet shows as it stands: no formula, nothing hidden, not too long for a cell."""
    plain = "\n".join(visible(line.replace("\t", " ")) for line in text.splitlines())
    cell = shortened(plain, MOST_IN_A_CELL)
    return f"'{cell}" if cell.lstrip().startswith(_FORMULA) else cell


def read_key(lake: Path, name: str) -> Sheet:
    """Return the key of a sheet that was written from this lake."""
    path = _key_file(lake, name)
    try:
        data: Mapping[str, Any] = json.loads(path.read_bytes())
        lines = {line: Shown(**shown) for line, shown in data["lines"].items()}
        return Sheet(**{**data, "contents": Contents(**data["contents"]), "lines": lines})
    except FileNotFoundError as error:
        raise ValueError(
            f"sheet {name}: this lake holds no key of it ({path}); read the ratings where the sheet was written"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: not the key of a sheet; write the sheet again") from error


def _key_file(lake: Path, name: str) -> Path:
    return lake / FOLDER / "sheets" / f"{name}.json"
