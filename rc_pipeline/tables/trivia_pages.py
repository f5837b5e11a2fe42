"""The document of every page that a question of TriviaQA cites, found although names differ between files."""

from __future__ import annotations

import unicodedata
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import polars as pl

from rc_pipeline.tables.evidence import EvidenceWriter
from rc_pipeline.tables.parquet_stream import reading, writing
from rc_pipeline.tables.schemas import TRIVIA_PAGES, polars_schema

PAGES, WITHOUT, RENAMED = "pages", "pages without document", "pages whose document has another name"
NOT_IN_ARCHIVE, AMBIGUOUS, QUARANTINED = "not_in_archive", "name_is_ambiguous", "document_quarantined"


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


# What some file system does not take in a name, and what is put in its place.
_REPLACED = str.maketrans(dict.fromkeys('?:*"<>|\\/ ', "_"))
# Each says less of a name than the one before it, so what is alike for one is alike for all that follow.
_LIKENESS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("unicode_form", _composed),
    ("case", lambda name: _composed(name.casefold())),
    ("percent_encoding", lambda name: _composed(urllib.parse.unquote(name).casefold()) if "%" in name else name),
    ("replaced_characters", lambda name: name.strip().translate(_REPLACED)),
)


def write_pages(cited: Mapping[Path, Path], evidence: EvidenceWriter) -> Counter[str]:
    """Write each file of cited pages with the ids of their documents; return how the look-ups went."""
    exact = evidence.seen - evidence.set_aside if evidence.set_aside else evidence.seen
    others: set[str] = set()
    for source in cited:
        for frame in reading(source, ["domain", "filename"]):
            others.update(name for name in _names(frame) if name not in exact)
    found = {name: _usable(other, evidence) for name, other in alike_names(others, evidence.seen).items()}
    outcomes: Counter[str] = Counter()
    for source, target in cited.items():
        with writing(target, polars_schema(TRIVIA_PAGES)) as add:
            for frame in reading(source):
                names = _names(frame)
                ids = [name if name in exact else found[name][0] for name in names]
                outcomes[PAGES] += len(names)
                outcomes.update(found[name][1] for name in names if name not in exact)
                ids_of = pl.Series("evidence_id", ids, dtype=pl.String)
                add(TRIVIA_PAGES.validate(frame.drop("domain").with_columns(ids_of), lazy=True))
    return outcomes


def _usable(other: tuple[str | None, str], evidence: EvidenceWriter) -> tuple[str | None, str]:
    """Return the id of the document that a name stands for, if it is in the table, and what to count."""
    known, how = other
    if known in evidence.set_aside:
        known, how = None, QUARANTINED
    return known, f"{WITHOUT if known is None else RENAMED}: {how}"


def _names(frame: pl.DataFrame) -> list[str]:
    return frame.select(pl.concat_str("domain", pl.lit("/"), "filename")).to_series().to_list()


def alike_names(missing: Iterable[str], known: Iterable[str]) -> dict[str, tuple[str | None, str]]:
    """Return, for each missing name, the only known one that is alike, if there is one, and how the two differ."""
    looked_for = {name: _likenesses(name) for name in missing}
    candidates: dict[str, list[tuple[str, list[str]]]] = {keys[-1]: [] for keys in looked_for.values()}
    if candidates:
        for name in known:
            keys = _likenesses(name)
            if keys[-1] in candidates:
                candidates[keys[-1]].append((name, keys))
    return {name: _only_one(keys, candidates[keys[-1]]) for name, keys in looked_for.items()}


def _only_one(keys: list[str], candidates: list[tuple[str, list[str]]]) -> tuple[str | None, str]:
    for level, (how, _) in enumerate(_LIKENESS):
        alike = [name for name, others in candidates if others[level] == keys[level]]
        if alike:
            return (alike[0], how) if len(alike) == 1 else (None, AMBIGUOUS)
    return None, NOT_IN_ARCHIVE


def _likenesses(name: str) -> list[str]:
    domain, _, filename = name.partition("/")
    keys = []
    for _, simplify in _LIKENESS:
        filename = simplify(filename)
        keys.append(f"{domain}/{filename}")
    return keys
