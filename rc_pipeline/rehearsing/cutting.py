"""The beginning of raw files that are too large to be read whole in a rehearsal, in their own format."""

from __future__ import annotations

import io
import json
import tarfile
import unicodedata
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from rc_pipeline.corpora.archives import members_of
from rc_pipeline.corpora.json_stream import elements_under, list_elements
from rc_pipeline.corpora.trivia_qa import document_of, split_of
from rc_pipeline.lake.canonical import sha256_json

# What is smaller is read whole, so that every row of it is checked.
LARGE = 48 << 20
LINES = frozenset({".csv", ".tsv", ".txt", ".jsonl", ".ndjson"})
QUESTIONS_A_SPLIT = 40
PAGES = ("EntityPages", "SearchResults")


def cut(path: Path, fmt: str, folder: Path, say: Callable[[str], None]) -> Path:
    """Return a raw file or, of a large one, its beginning, which lies in `folder` for the next time."""
    size = _bytes(path)
    if size <= LARGE:
        return path
    found = path.stat()
    kept = folder / sha256_json([str(path), size, found.st_mtime_ns, QUESTIONS_A_SPLIT, LARGE])[:16] / path.name
    if kept.exists():
        return kept
    if fmt == "trivia_qa":
        write = _first_questions
    elif path.suffix in LINES:
        write = _first_lines
    elif path.suffix == ".json" and _is_list(path):
        write = _first_elements
    else:
        say(f"{path}: {size / 1e6:,.0f} MB are read whole")
        return path
    say(f"{path}: {size / 1e6:,.0f} MB, of which the beginning is read")
    kept.parent.mkdir(parents=True, exist_ok=True)
    unfinished = kept.with_name(f"unfinished-{path.name}")
    write(path, unfinished)
    return unfinished.rename(kept)


def _bytes(path: Path) -> int:
    if not path.is_dir():
        return path.stat().st_size
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())


def _is_list(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _first_lines(path: Path, out: Path) -> None:
    """Copy whole lines, and the lines of a quoted text together."""
    copied, quotes = 0, 0
    quoting = path.suffix in {".csv", ".tsv"}
    with path.open("rb") as source, out.open("wb") as target:
        for line in source:
            target.write(line)
            copied += len(line)
            quotes += line.count(b'"') if quoting else 0
            if copied > LARGE and quotes % 2 == 0:
                return


def _first_elements(path: Path, out: Path) -> None:
    with path.open("rb") as source, out.open("w", encoding="utf-8", errors="surrogatepass") as target:
        target.write("[")
        for number, (_, element) in enumerate(list_elements(source, str(path))):
            target.write((",\n" if number else "") + json.dumps(element))
            if target.tell() > LARGE:
                break
        target.write("]")


def _first_questions(path: Path, out: Path) -> None:
    """Copy some questions of each split, and the documents that they cite; twice through, where those come first."""
    cited: set[str] = set()
    copied: set[str] = set()
    with tarfile.open(out, "w") as archive:
        for read_questions in (True, False):
            with members_of(path) as members:
                for member in members:
                    document = document_of(member.name)
                    if document is not None and _folded(*document) in cited and member.name not in copied:
                        copied.add(member.name)
                        _add(archive, member.name, member.data.read())
                    elif read_questions and split_of(member.name) is not None:
                        data = elements_under("Data", member.data, member.name)
                        rows = [row for _, row in islice(data, QUESTIONS_A_SPLIT)]
                        cited.update(_cited(rows))
                        _add(archive, member.name, json.dumps({"Data": rows}).encode())
            if len(copied) >= len(cited):
                return


def _cited(rows: list[object]) -> Iterator[str]:
    for row in rows:
        for key, domain in zip(PAGES, ("wikipedia", "web"), strict=True):
            pages = row.get(key) if isinstance(row, dict) else None
            for page in pages if isinstance(pages, list) else []:
                if isinstance(page, dict) and isinstance(page.get("Filename"), str):
                    yield _folded(domain, page["Filename"])


def _folded(domain: str, name: str) -> str:
    """Return what two spellings of a file's name have in common: questions and archive differ in some."""
    return f"{domain}/{unicodedata.normalize('NFC', name).casefold()}"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    header = tarfile.TarInfo(name)
    header.size = len(data)
    archive.addfile(header, io.BytesIO(data))
