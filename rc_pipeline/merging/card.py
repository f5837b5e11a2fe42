"""README.md of a published model: what it is, what it learnt from, how it scored, and from which bytes it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.frames import as_it_stands, markdown_table

if TYPE_CHECKING:
    from rc_pipeline.lake.outcome import JSON
    from rc_pipeline.prompting.dialogue import Form

HUB = "https://huggingface.co/"
# Licenses that the hub knows by name; any other is named beside.
KNOWN_LICENSES = {"apache-2.0", "mit", "gpl-3.0", "cc-by-4.0", "cc-by-sa-4.0"}


def write_card(spec: Mapping[str, Any], form: Form, figures: Mapping[str, JSON]) -> str:
    """Write the card of a spec and return its text without the front matter."""
    text = _text(spec, form, figures)
    (Path(spec["out"]) / "README.md").write_text(f"---\n{_front_matter(spec)}---\n\n{text}", encoding="utf-8")
    return text


def _front_matter(spec: Mapping[str, Any]) -> str:
    import yaml

    base, decoder = spec["card"]["base"], not _has_encoder(spec)
    said: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation" if decoder else "text2text-generation",
        "tags": ["rc_pipeline", spec["card"]["tune"]["method"]],
        **_license(base),
    }
    hub = base["source"].get("hub") or (base["homepage"].removeprefix(HUB) if base["homepage"].startswith(HUB) else "")
    if hub:
        said |= {"base_model": hub, "base_model_relation": "finetune"}
    return str(yaml.safe_dump(said, allow_unicode=True, sort_keys=True))


def _has_encoder(spec: Mapping[str, Any]) -> bool:
    """Tell whether the model reads with an encoder."""
    from rc_pipeline.models.families import ENCODER_DECODERS

    return spec["base"]["family"] in ENCODER_DECODERS


def _license(base: Mapping[str, Any]) -> dict[str, str]:
    name = str(base["license"])
    if not name or name.lower() in KNOWN_LICENSES:
        return {"license": name.lower()} if name else {}
    return {"license": "other", "license_name": name} | ({"license_link": base["homepage"]} if base["homepage"] else {})


def _text(spec: Mapping[str, Any], form: Form, figures: Mapping[str, JSON]) -> str:
    card, base = spec["card"], spec["card"]["base"]
    title, base_title = as_it_stands(card["title"]), as_it_stands(base["title"])
    sections = {
        title: f"`{spec['run']}`: {base_title} with what it learnt (`{card['tune']['method']}`) in its own weights, "
        f"{figures['parameters']:,} of them in {spec['dtype']}. Needs nothing but transformers.",
        "Use": _use(spec, form),
        "Prompt": "The prompt it learnt with; `apply_chat_template` writes it.\n\n" + _fenced(form.to_dict()),
        "Data": _data(card["data"]),
        "Training": _settings(card["tune"] | card["training"]),
        "Scores": _scores(spec),
        "Made from": "SHA-256 of the content of each; equal hashes are equal weights, rows and answers.\n\n"
        + markdown_table(["what", "content"], [[f"`{key}`", f"`{sha}`"] for key, sha in card["contents"].items()]),
        "License": _license_note(base),
    }
    first, *others = sections
    parts = [f"# {first}\n\n{sections[first]}", *(f"## {name}\n\n{sections[name]}" for name in others)]
    return "\n\n".join(parts) + "\n"


def _use(spec: Mapping[str, Any], form: Form) -> str:
    if _has_encoder(spec):
        lines = [
            "from transformers import AutoModelForSeq2SeqLM, AutoTokenizer",
            'model, tokenizer = (each.from_pretrained("FOLDER") for each in (AutoModelForSeq2SeqLM, AutoTokenizer))',
            'messages = [{"role": "user", "content": "Who lives in Rome?"}]',
            'asked = tokenizer.apply_chat_template(messages, return_dict=True, return_tensors="pt")',
            "print(tokenizer.decode(model.generate(**asked)[0], skip_special_tokens=True))",
        ]
    else:
        lines = [
            "from transformers import pipeline",
            'answer = pipeline("text-generation", "FOLDER")',
            'messages = [{"role": "user", "content": "Who lives in Rome?"}]',
            'print(answer(messages, return_full_text=False)[0]["generated_text"])',
        ]
    fields = form.to_dict()
    notes = ["In a terminal: `transformers chat FOLDER`; over HTTP: `transformers serve`."]
    if "prompt_input" in fields:
        notes.append(
            'The text to read goes apart, as it did in training: `{"role": "user", "content": …, "input": …}`, or over '
            'HTTP `"chat_template_kwargs": {"input": …}`.'
        )
        if "turn" not in fields:
            notes.append("It learnt single questions: of a conversation, the prompt holds the last one alone.")
    return "```python\n" + "\n".join(lines) + "\n```\n\n" + " ".join(notes)


def _data(data: list[dict[str, Any]]) -> str:
    columns = {"data": "title", "name": "name", "rows learnt from": "rows", "license": "license", "from": "homepage"}
    # An address is Markdown as it is.
    escaped = [
        {name: value if name == "homepage" else as_it_stands(str(value)) for name, value in one.items()} for one in data
    ]
    rows: list[list[object]] = [[one[name] for name in columns.values()] for one in escaped]
    return markdown_table(list(columns), rows, escaped=True)


def _settings(settings: Mapping[str, Any]) -> str:
    known = {name: json.dumps(value, ensure_ascii=False) for name, value in settings.items() if value is not None}
    return markdown_table(["setting", "value"], [[f"`{name}`", value] for name, value in known.items()])


def _scores(spec: Mapping[str, Any]) -> str:
    import polars as pl

    frames = [pl.read_parquet(one["scores"]) for one in spec["asked"]]
    rows = pl.concat(frames, how="diagonal").select("eval_set", "metric", "value", "low", "high", "n").iter_rows()
    said: list[list[object]] = [
        [eval_set, metric, *("" if each is None else f"{each:.1f}" for each in interval), n]
        for eval_set, metric, *interval, n in rows
    ]
    table = markdown_table(["evaluation set", "measure", "value", "95 % from", "to", "questions"], said)
    return f"Of the run before merging; the published weights were held against its answers.\n\n{table}"


def _license_note(base: Mapping[str, Any]) -> str:
    where = f" ({base['homepage']})" if base["homepage"] else ""
    title, license_name = as_it_stands(base["title"]), as_it_stands(base["license"])
    what = f": {license_name}" if license_name else ""
    return f"That of the base model, {title}{where}{what}. The data have licenses of their own, above."


def _fenced(data: Mapping[str, Any]) -> str:
    return "```json\n" + json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True) + "\n```"
