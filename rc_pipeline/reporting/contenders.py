"""The runs of a study as a report speaks of them: which stands before which, and what an ablation changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Ablation runs are labelled <run>--<field>-<value>.
ABLATION = "--"
NO_PROMPT = "–"
SHOWN_SETTINGS = ("rank", "alpha", "learning_rate", "epochs", "batch_size", "loss_on")


@dataclass(frozen=True)
class Contender:
    """One run of the study under the label that the study gives it."""

    label: str
    run: str
    model: str
    title: str
    tuned: bool
    method: str | None
    settings: Mapping[str, Any]
    trained_weights: int | None
    stated_changes: str

    @property
    def ablation_of(self) -> str | None:
        """The label of the run that this one varies, if it is an ablation."""
        parent, found, _ = self.label.partition(ABLATION)
        return parent if found else None

    @property
    def prompt(self) -> str:
        """The prompt template, and how many solved examples stand in front of a question."""
        told, shots = [str(self.settings.get("prompt.template", NO_PROMPT))], self.settings.get("prompt.shots")
        if self.settings.get("prompt.asked_with"):
            told.append(f"asked with {self.settings['prompt.asked_with']}")
        if shots:
            told.append(f"{shots} {self.settings.get('prompt.shots_by', '')} shots")
        return ", ".join(told)

    @property
    def tuning(self) -> str:
        """How the run was tuned, in a few words."""
        if not self.tuned:
            return "no"
        shown = [
            f"{name.replace('_', ' ')} {self.settings[f'tune.{name}']}"
            for name in SHOWN_SETTINGS
            if f"tune.{name}" in self.settings
        ]
        return ", ".join([self.method or "yes", *shown])


def read_contenders(runs: Sequence[Mapping[str, Any]]) -> list[Contender]:
    """Return the runs in the order of the study; its settings, `changes` and `adapter_metadata` may be absent."""
    return [
        Contender(
            label=run["label"], run=run["run"], model=run["model"], title=run.get("title") or "",
            tuned=bool(run["tuned"]), method=run.get("method"), settings=_flat(run),
            trained_weights=(run.get("adapter_metadata") or {}).get("trained_weights"),
            stated_changes=run.get("changes") or "",
        )
        for run in runs
    ]  # fmt: skip


def before(after: Contender, contenders: Sequence[Contender]) -> Contender | None:
    """Return the untuned run of the same model that a tuned one is measured against, the same prompt first."""
    untuned = [one for one in contenders if not one.tuned and not one.ablation_of and one.model == after.model]
    prompt = after.settings.get("prompt.template")
    return min(untuned, key=lambda one: one.settings.get("prompt.template") != prompt, default=None)


def varied(ablation: Contender, of: Contender) -> dict[str, tuple[Any, Any]]:
    """Return the settings that an ablation changed, with the value before and after."""
    fields = sorted({*ablation.settings, *of.settings})
    return {
        name: (of.settings.get(name), ablation.settings.get(name))
        for name in fields
        if ablation.settings.get(name) != of.settings.get(name)
    }


def changes(ablation: Contender, of: Contender) -> str:
    """Return what an ablation changed, as stated or as the settings tell."""
    if ablation.stated_changes:
        return ablation.stated_changes
    told = [f"{name}: {was} → {now}" for name, (was, now) in varied(ablation, of).items()]
    return ", ".join(told) or "nothing"


def _flat(run: Mapping[str, Any]) -> dict[str, Any]:
    parts = ("tune", "prompt", "answer", "train_on", "mixture")
    seed = {"seed": run["seed"]} if "seed" in run else {}
    return {f"{part}.{name}": value for part in parts for name, value in (run.get(part) or {}).items()} | seed
