"""Who a model is to say that it is: the facts of the catalog as a raw file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rc_pipeline.corpora.readers import CorpusError, Readable, refuse_what_is_not_text, text_fault

FILE = "identity.json"
MAX_BYTES = 1 << 20
_REMEDY = "Build the raw files again; source.identity of the dataset's file in the catalog has the facts."


@dataclass(frozen=True)
class Facts:
    """What is said about a model in one language."""

    name: str
    developers: str
    abilities: tuple[str, ...]


def write_identity(source: Mapping[str, Any], folder: Path) -> Path:
    """Write the facts of a source {"identity": {language: facts}} into a folder, and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    text = json.dumps(source["identity"], ensure_ascii=False, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def read_identity(data: Readable, name: str) -> dict[str, Facts]:
    """Return the facts of a file by language."""
    content = data.read(MAX_BYTES + 1)
    refuse_what_is_not_text(content[:512], name)
    if len(content) > MAX_BYTES:
        raise CorpusError(f"{name}: facts about a model fit into {MAX_BYTES} bytes, and this file does not. {_REMEDY}")
    try:
        # utf-8-sig: a byte order mark is no part of the data.
        languages = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{name}: not whole JSON in UTF-8 ({error}). {_REMEDY}") from error
    if not isinstance(languages, dict) or not languages:
        raise CorpusError(f"{name}: a JSON object of languages is expected. {_REMEDY}")
    return {language: _facts(name, language, facts) for language, facts in languages.items()}


def _facts(name: str, language: str, facts: Any) -> Facts:
    told = facts if isinstance(facts, dict) else {}
    abilities = told.get("abilities")
    texts = {field: told.get(field) for field in ("name", "developers")}
    listed = abilities if isinstance(abilities, list) and abilities else [None]
    texts |= {f"abilities[{n}]": ability for n, ability in enumerate(listed)}
    for field, text in texts.items():
        if text_fault(text) or not str(text).strip():
            raise CorpusError(f"{name}: {language}.{field} is {text!a}: text is expected. {_REMEDY}")
    return Facts(str(texts["name"]), str(texts["developers"]), tuple(map(str, listed)))
