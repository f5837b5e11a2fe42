"""One row and one task template make one instruction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rc_pipeline.instructions.errors import InstructionsError
from rc_pipeline.instructions.locating import Span, locate
from rc_pipeline.instructions.sandbox import UnfitTemplate, compiled, names_of, render

# Names that a template's output may use besides the columns: the rendered options and the gold one's index.
RENDERED_NAMES = ("choices", "label")


@dataclass(frozen=True)
class Rendered:
    """What one template makes of one row."""

    system: str
    instruction: str
    input: str
    passage: Span
    rationale: str
    output: str | None
    choices: list[str]
    gold_label: int | None


class _Field:
    """One Jinja string of a template, compiled once."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source

    @property
    def columns(self) -> frozenset[str]:
        return names_of(self.source)

    def render(self, values: Mapping[str, Any]) -> str:
        return render(compiled(self.source), dict(values))

    def unknown_in(self, values: Mapping[str, Any]) -> bool:
        """Tell whether a column that this field needs has no value in the row, as answers of a test split."""
        return any(values[column] is None or values[column] == [] for column in self.columns if column in values)


class TaskRenderer:
    """A task template, compiled."""

    def __init__(self, name: str, template: Mapping[str, Any], passage_column: str) -> None:
        self.name = name
        self.passage_column = passage_column
        self.language = str(template.get("language", "en"))
        self.system = _Field("system", template.get("system", ""))
        self.rationale = _Field("rationale", template.get("rationale", ""))
        self.answer_after = str(template.get("answer_after", ""))
        self.instruction = _Field("instruction", template["instruction"])
        self.input = _Field("input", template.get("input", ""))
        self.output = _Field("output", template["output"])
        self.label = _Field("label", template.get("label", ""))
        choices = template.get("choices", [])
        # A column that holds a list is named as {{ column }}; otherwise every choice has a text of its own.
        self.choices_column = choices.strip("{} ") if isinstance(choices, str) else ""
        self.choices = [] if self.choices_column else [_Field(f"choices[{n}]", text) for n, text in enumerate(choices)]

    @property
    def _offers_choices(self) -> bool:
        return bool(self.choices or self.choices_column)

    def problems(self, columns: tuple[str, ...]) -> list[str]:
        """Return what is wrong with the template for rows that have `columns`."""
        found = []
        for field in (
            self.system, self.instruction, self.input, *self.choices, self.label, self.rationale, self.output,
        ):  # fmt: skip
            known = (*columns, *RENDERED_NAMES) if field is self.output and self._offers_choices else columns
            try:
                unknown = sorted(field.columns - set(known))
            except UnfitTemplate as error:
                found.append(f"{self.name}.yaml: {field.name}: {field.source!r}: {error}")
                continue
            found += [
                f"{self.name}.yaml: {field.name}: {column}: the rows have no such column; they have {', '.join(known)}"
                for column in unknown
            ]
        if self.choices_column and self.choices_column not in columns:
            found.append(f"{self.name}.yaml: choices: {self.choices_column}: the rows have no such column")
        if self._offers_choices and not self.label.source.strip():
            found.append(f"{self.name}.yaml: label: {self.label.source!r}: choices need the index of the gold one")
        return found

    def shows_passage(self, row: Mapping[str, Any]) -> bool:
        """Tell whether the row has a passage and the template says it anywhere: some ask without, on purpose."""
        shown = self.instruction.columns | self.input.columns
        return self.passage_column in shown and bool(row.get(self.passage_column))

    def render(self, row: Mapping[str, Any], *, answered: bool = True) -> Rendered:
        """Return the row's instruction; raises InstructionsError naming template, field and row.

        In a split that is not `answered` a null is an answer unknown to us, whatever a template makes of it.
        """
        choices = self._choices(row)
        label = self._gold_label(row, choices)
        known = {**row, "choices": choices, "label": label} if choices else row
        output = self._output(known, answered=answered)
        rationale = "" if output is None or self.rationale.unknown_in(row) else self._text(self.rationale, row)
        shown = self._text(self.input, row)
        return Rendered(
            system=self._text(self.system, row),
            instruction=self._text(self.instruction, row),
            input=shown,
            passage=self._passage(shown, row),
            rationale=rationale,
            output=self._with_reasoning(rationale, output),
            choices=choices,
            gold_label=label,
        )

    def gold_label(self, row: Mapping[str, Any]) -> int | None:
        """Return which of the row's choices is right, None where that is not known."""
        return self._gold_label(row, self._choices(row))

    def _choices(self, row: Mapping[str, Any]) -> list[str]:
        return [self._text(choice, row) for choice in self.choices] or list(row.get(self.choices_column) or [])

    def _output(self, known: Mapping[str, Any], *, answered: bool) -> str | None:
        if not self.output.unknown_in(known):
            return self._text(self.output, known)
        try:
            # A template may know what to say where there is no answer: {{ answer or "unanswerable" }}.
            return self._text(self.output, known) if answered else None
        except InstructionsError:
            return None

    def _with_reasoning(self, rationale: str, output: str | None) -> str | None:
        """Return what a model is to write: the reasoning first, then the mark, then the answer."""
        if not output or not self.answer_after:
            return output
        return f"{rationale}\n{self.answer_after} {output}".lstrip("\n")

    def _gold_label(self, row: Mapping[str, Any], choices: list[str]) -> int | None:
        if not choices or self.label.unknown_in(row):
            return None
        text = self._text(self.label, row)
        try:
            label = int(text)
        except ValueError:
            label = -1
        if not 0 <= label < len(choices):
            last = len(choices) - 1
            raise self._refusal(self.label, row, f"{text!r} is no index of the choices; make it 0 to {last}")
        return label

    def _passage(self, shown: str, row: Mapping[str, Any]) -> Span:
        passage = row.get(self.passage_column)
        if not passage or self.passage_column not in self.input.columns:
            return None
        return locate(shown, passage, lambda other: self._text(self.input, {**row, self.passage_column: other}))

    def _text(self, field: _Field, values: Mapping[str, Any]) -> str:
        if "{" not in field.source:
            return field.source.removesuffix("\n")
        try:
            return field.render(values)
        # A template may fail in any way that its expressions can: a division, a missing key, a forbidden attribute.
        except Exception as error:
            raise self._refusal(field, values, f"{type(error).__name__}: {error}; correct the template") from error

    def _refusal(self, field: _Field, row: Mapping[str, Any], problem: str) -> InstructionsError:
        return InstructionsError([f"{self.name}.yaml: {field.name}: {field.source!r}: row {row['row_id']}: {problem}"])
