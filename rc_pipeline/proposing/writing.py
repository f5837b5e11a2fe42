"""Proposed templates as files for a person to review; nothing that is there is ever overwritten."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from rc_pipeline.catalog.parsing import read_mapping
from rc_pipeline.catalog.tasks import TaskTemplate
from rc_pipeline.proposing.asking import shown_fields

WIDTH = 110


class _Dumper(yaml.SafeDumper):
    """SafeDumper that writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # The catalog reads YAML 1.2, in which fewer words need quotes: those that PyYAML adds do no harm.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def write_templates(templates: Sequence[TaskTemplate], folder: Path, proposer: str) -> list[Path]:
    """Write each template under the next free name `proposed_NN.yaml`; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(template, proposer, folder) for template in templates]


def as_yaml(template: TaskTemplate, proposer: str) -> str:
    """Return a template as a file of the catalog says it."""
    said: Mapping[str, Any] = template.model_dump(mode="json")
    data = {
        "description": f"Proposed by {proposer}; not reviewed yet.",
        **({} if template.language == "en" else {"language": template.language}),
        "use": ["train"],
        "weight": template.weight,
        **shown_fields(said),
    }
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)


def _write(template: TaskTemplate, proposer: str, folder: Path) -> Path:
    temporary = folder / f".proposed.{os.getpid()}"
    temporary.write_text(as_yaml(template, proposer), encoding="utf-8")
    try:
        _require_same(template, temporary)
        for number in count(1):
            path = folder / f"proposed_{number:02}.yaml"
            try:
                # A link appears whole, and only where there is nothing.
                os.link(temporary, path)
            except FileExistsError:
                continue
            return path
    finally:
        temporary.unlink()
    raise AssertionError


def _require_same(template: TaskTemplate, path: Path) -> None:
    """Raise ValueError unless the catalog reads the file as the template that it was written from."""
    data = read_mapping(path, path.name)
    if isinstance(data, dict):
        read = TaskTemplate.model_validate(data)
        if read.model_copy(update={"description": template.description}) == template:
            return
    raise ValueError(f"{template.instruction!r}: cannot be written so that the catalog reads it as it is")
