"""Small archives in the layout of TriviaQA, good and hostile, for the tests of corpora and tables."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Entry = tuple[str, bytes] | tarfile.TarInfo


def tar_bytes(entries: Iterable[Entry]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
            else:
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                tar.addfile(info, io.BytesIO(entry[1]))
    return buffer.getvalue()


def write_tar_gz(path: Path, entries: Iterable[Entry]) -> Path:
    path.write_bytes(gzip.compress(tar_bytes(entries), mtime=0))
    return path


def question(number: int, *, files: Iterable[str] = (), **changes: Any) -> dict[str, Any]:
    answer = {
        "Aliases": ["Sunset Blvd", "Sunset Boulevard"],
        "NormalizedAliases": ["sunset blvd", "sunset boulevard"],
        "NormalizedValue": "sunset boulevard",
        "Type": "WikipediaEntity",
        "Value": "Sunset Boulevard",
    }
    pages = [{"DocSource": "TagMe", "Filename": name, "Title": name.removesuffix(".txt")} for name in files]
    datum = {"Question": f"Which musical is number {number}?", "QuestionId": f"tc_{number}", "QuestionSource": "s"}
    return datum | {"Answer": answer, "EntityPages": pages} | changes


def qa_file(data: list[Any]) -> bytes:
    whole = {"Data": data, "Domain": "Wikipedia", "Split": "train", "VerifiedEval": False, "Version": 1.0}
    return json.dumps(whole, indent=2, ensure_ascii=False).encode()
