"""The text of each starting file: what must be said, and every other field as a comment with its default."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from rc_pipeline.catalog import BaseModelCard, Dataset, Study, TaskTemplate

EXAMPLES = Path(__file__).with_name("examples.yaml")
# The prompt and the reach that a model of a family mostly has; its own card says better.
USUAL = {
    "llama": ("alpaca", 4096),
    "granite": ("alpaca", 4096),
    "gpt2": ("plain", 1024),
    "glm": ("alpaca", 8192),
    "t5": ("plain", 512),
    "minicpm": ("minicpm", 4096),
    "chatglm2": ("chatglm2", 8192),
    "native": ("chat", 4096),
}
ANSWERS = ("answer", "output", "target", "label")
NOT_ASKED = frozenset({*ANSWERS, "id", "answers", "outputs", "aliases", "options", "history", "system"})


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Return the example of each raw format."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(EXAMPLES.read_text(encoding="utf-8"))
    return found


def example_files(fmt: str) -> dict[str, str]:
    """Return {path below the dataset's folder: text} of a format's example."""
    return dict(examples()[fmt].get("files", {}))


def dataset_text(name: str, fmt: str) -> str:
    """Return a dataset of the format's example files."""
    example = examples()[fmt]
    lines = [f"title: {_title(name)}", f"format: {fmt}"]
    if "files" in example:
        paths = example.get("source") or {file: f"{name}/{file}" for file in example["files"]}
        where = "path in data_lake/inbox, of a file, a folder or an archive; instead of files: download or hub"
        lines += ["source:", f"  # name: {where}", "  files:"]
        lines += [f"    {part.replace('{name}', name)}: {path.replace('{name}', name)}" for part, path in paths.items()]
    lines += example.get("says", "").replace("{name}", name).splitlines()
    return _with_other_fields(lines, Dataset)


def model_text(name: str, config: Mapping[str, Any] | None, family: str | None) -> str:
    """Return a model in the inbox's folder of its name, described by its config.json where there is one."""
    family = family or _family(config or {})
    prompt, usual = USUAL[family]
    reach = next((config[key] for key in ("max_position_embeddings", "n_positions", "seq_length")
                  if config and isinstance(config.get(key), int)), usual)  # fmt: skip
    lines = [
        f"title: {_title(name)}",
        f"family: {family}",
        "# In data_lake/inbox: config.json, weights, tokenizer. Instead of folder: hub.",
        f"source: {{folder: models/{name}}}",
        f"prompt: {prompt}    # of catalog/prompts: the one that the model was trained with",
        f"context_tokens: {reach}",
    ]
    return _with_other_fields(lines, BaseModelCard)


def study_text(name: str, dataset: str, eval_set: str | None, model: str) -> str:
    """Return a study that asks a model before and after tuning."""
    evaluated = f"evaluate_on: [{eval_set}]" if eval_set else "evaluate_on: {sample_cosmos/valid: 100}"
    lines = [
        f"title: {_title(name)}",
        f"train_on: {{{dataset}: all}}    # dataset: rows, or a share such as 30%",
        f"{evaluated}    # <dataset>/<split>",
        "runs:",
        f"  {name}_base: {{model: {model}}}    # as it is",
        f"  {name}_tuned:",
        f"    model: {model}",
        "    tune: {method: lora, rank: 8, epochs: 1}    # docs/catalog.md has the other fields",
        "# ablations:                     # the same run again, with other values",
        f"#   rank: {{of: {name}_tuned, vary: {{tune.rank: [4, 16]}}}}",
    ]
    return _with_other_fields(lines, Study, but=("ablations",))


def template_text(columns: Sequence[str], passage: str, language: str) -> str:
    """Return a template that shows a row's columns and asks for its answer."""
    options = [column for column in columns if column.startswith("answer") and column[6:].isdigit()]
    shown = [column for column in columns if column not in NOT_ASKED and column not in options]
    # The passage first: it is what a model reads before it is asked.
    shown.sort(key=lambda column: column != passage)
    zh = language == "zh"
    colon = "：" if zh else ": "
    lines = ["# Jinja over the columns of a row: " + ", ".join(columns), f"language: {language}"]
    lines += [
        "# What to do.",
        "instruction: " + ("根据材料作答，不要多写。" if zh else "Read this and give the answer alone."),
    ]
    lines += ["# What to do it with. The passage is what is cut when a prompt is too long.", "input: |-"]
    lines += [f"  {column.replace('_', ' ').capitalize()}{colon}{{{{ {column} }}}}" for column in shown]
    if options:
        lines += [f"  {chr(65 + number)}. {{{{ {column} }}}}" for number, column in enumerate(options)]
        quoted = ", ".join(f'"{{{{ {column} }}}}"' for column in options)
        lines += ["# The options, the index of the right one, and what is taught.", f"choices: [{quoted}]",
                  'label: "{{ label }}"', 'output: "{{ choices[label] }}"']  # fmt: skip
    else:
        answer = next(column for column in (*ANSWERS, *columns) if column in columns)
        lines += ["# The right answer.", f'output: "{{{{ {answer} }}}}"']
    lines += ["# train, evaluate or both; or held_out: asked as <dataset>/<split>.<template>", "use: [train]"]
    return _with_other_fields(lines, TaskTemplate)


def _with_other_fields(lines: list[str], model: type[BaseModel], but: Sequence[str] = ()) -> str:
    """Add the fields that are not given, each with what it is when left out."""
    given = {line.partition(":")[0] for line in lines} | set(but)
    left_out = {name: field for name, field in model.model_fields.items() if name not in given}
    lines = [*lines, "", "# What can be said besides; as left out:"]
    for name, field in left_out.items():
        # What depends on other fields has no one default to show.
        plain = field.default.model_dump() if isinstance(field.default, BaseModel) else field.default
        value = "" if field.default_factory else f" {json.dumps(plain)}"
        about = f"    # {field.description}" if field.description else ""
        lines.append(f"# {name}:{value}{about}")
    return "\n".join(lines) + "\n"


def _family(config: Mapping[str, Any]) -> str:
    kind = str(config.get("model_type", "llama"))
    known = {"chatglm": "chatglm2", "mistral": "native"}
    return known.get(kind, kind if kind in USUAL else "native")


def _title(name: str) -> str:
    # Quoted where YAML would read a number or a truth.
    return str(yaml.safe_dump(name.replace("_", " ").replace("-", " ").strip().capitalize()).splitlines()[0])
