"""What people's ratings say of the runs: unblinded, and held against the answers that stand today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rc_pipeline.judging.items import Contents, Item
from rc_pipeline.judging.ratings import Ratings
from rc_pipeline.judging.records import PERSON, Author
from rc_pipeline.judging.sheets import Sheet, Shown
from rc_pipeline.judging.verdicts import LOSS, TIE, WIN, Verdict


def rows_of(ratings: Ratings, today: Contents | None, items: Mapping[str, Item]) -> list[dict[str, Any]]:
    """Return a row for each rating; one of an answer that is another today keeps the content it was made for."""
    sheet = ratings.sheet
    then = _author(sheet, sheet.contents)
    now = then if today is None else _author(sheet, today)
    rows: list[dict[str, Any]] = []
    for rater, labels in ratings.labels.items():
        for name, label in labels.items():
            shown = sheet.lines[name]
            stands = shown.key in items and items[shown.key].digest == shown.digest
            verdict = _verdict(shown, label, ratings.comments[rater][name])
            rows += (now if stands else then).rows([verdict], judge=rater)
    return rows


def file_name(sheet: Sheet) -> str:
    """Return the name under which the ratings of a sheet are kept."""
    return _author(sheet, sheet.contents).name


def _author(sheet: Sheet, contents: Contents) -> Author:
    return Author(sheet.kind, PERSON, sheet.name, None, sheet.seed, contents)


def _verdict(shown: Shown, label: str | int, comment: str) -> Verdict:
    item = Item(shown.key, shown.instruction_id, shown.cluster, "", "", (), tuple(shown.answers))
    if isinstance(label, int):
        return Verdict(item, grade=label, reply=comment or None)
    outcome = TIE if label == "tie" else WIN if (label == "A") != shown.swapped else LOSS
    return Verdict(item, outcome, reply=comment or None)
