"""`rc-pipeline chat`: a conversation with a run's model in the terminal, or line by line through a pipe."""

from __future__ import annotations

import sys
import unicodedata
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rc_pipeline.catalog import Catalog
from rc_pipeline.catalog.problems import nearest
from rc_pipeline.catalog.runs import Run
from rc_pipeline.commands.entry import open_lake, reported, standing
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.planner import Cached

if TYPE_CHECKING:
    from rc_pipeline.chatting.talk import Talk

HELP = "/system TEXT tells it who it is, /reset forgets the conversation, /quit ends; Ctrl-C stops an answer"


@dataclass(frozen=True)
class _Weights:
    """What is talked to, in words, and where it lies."""

    words: str
    folder: Path
    adapter: Path | None = None


@click.command()
@click.argument("run")
@click.option("--base", is_flag=True, help="Talk to the base model, as it was before tuning.")
@click.option("--system", default="", help="A system text, for prompt templates that have a place for one.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=512, show_default=True, help="Longest answer.")
@click.option("--temperature", type=click.FloatRange(0, 10), default=0.0, help="0 writes the likeliest answer.")
@reported
def chat(run: str, *, base: bool, system: str, max_new_tokens: int, temperature: float) -> None:
    """Talk to the model of RUN in its own prompt template: merged, else with its adapter, else as it is.

    Through a pipe, every line of questions has a line of answers: an empty one where there is no answer.
    """
    lineage, lake = open_lake()
    found = _run(lineage.catalog, run)
    weights = _weights(lake, found, base=base)
    card = lineage.catalog.models[found.model]
    talk = _open(lineage.catalog, found, weights, min(max_new_tokens, card.context_tokens // 2), temperature)
    if system:
        talk.instruct(system)
    alone = "" if talk.has_turns else "; its prompt has no place for earlier turns: each question stands alone"
    _note(f"{run}: {weights.words}, prompt {found.prompt.template}{alone}")
    if not sys.stdin.isatty():
        for line in sys.stdin:
            question = line.strip()
            if not _obey(talk, question):
                break
            if not question or question.startswith("/"):
                click.echo()
        return
    _note(HELP)
    while _turn(talk):
        pass


def _run(catalog: Catalog, name: str) -> Run:
    """Return a run by its own name or by the one that a study has for it."""
    names = {label: run for runs in catalog.study_runs.values() for label, run in runs.items()}
    if name not in names:
        raise ValueError(f"{name}: no study has such a run; {nearest(name, names)}")
    return catalog.runs[names[name]]


def _weights(lake: Lake, run: Run, *, base: bool) -> _Weights:
    from rc_pipeline.models.base import base_folder

    merged = None if base or run.merge is None else lake.planner().state(f"merged/{run.name}")
    if isinstance(merged, Cached) and not merged.artifact.manifest.refused_by():
        return _Weights(f"merged in {run.merge}", merged.artifact.folder)
    adapter = None if base or run.tune is None else standing(lake, f"adapters/{run.name}").folder
    folder = base_folder(standing(lake, f"base_models/{run.model}").folder)
    return _Weights(run.model if adapter is None else f"{run.model} with its adapter", folder, adapter)


def _open(catalog: Catalog, run: Run, weights: _Weights, max_new_tokens: int, temperature: float) -> Talk:
    from rc_pipeline.models.loading import prepare_process

    prepare_process(bitsandbytes=False)
    from rc_pipeline.chatting.talk import Talk
    from rc_pipeline.models.families import ENCODER_DECODERS
    from rc_pipeline.models.loading import load_model, load_tokenizer
    from rc_pipeline.prediction.sampling import Sampling
    from rc_pipeline.prompting.reading import read_prompt

    card, template = catalog.models[run.model], str(run.prompt.template)
    text: dict[str, Any] = catalog.prompts[template].model_dump(mode="json", exclude={"description"})
    tokenizer = load_tokenizer(weights.folder)
    form = read_prompt(text | {"name": template}, tokenizer, ends_prompt=card.family in ENCODER_DECODERS)
    model = load_model(weights.folder, family=card.family, adapter=weights.adapter)
    return Talk(model, tokenizer, form, card.context_tokens, max_new_tokens, Sampling(temperature, 1.0))


def _turn(talk: Talk) -> bool:
    """Read a line at the terminal and obey it; Ctrl-C ends neither the chat nor what was said before."""
    try:
        with suppress(ImportError):
            # Only to have arrow keys and earlier lines at the prompt.
            import readline  # noqa: F401
        return _obey(talk, input("> ").strip())
    except EOFError:
        click.echo()
        return False
    except KeyboardInterrupt:
        click.echo("\n/quit or Ctrl-D ends the chat", err=True)
        return True


def _obey(talk: Talk, line: str) -> bool:
    """Answer a question or follow a command, and tell whether to go on."""
    command, _, rest = line.partition(" ")
    match command:
        case "":
            pass
        case "/quit" | "/exit":
            return False
        case "/reset":
            talk.history.clear()
            _note("forgotten")
        case "/system":
            _try(lambda: talk.instruct(rest.strip()))
        case _ if command.startswith("/"):
            _note(f"{command}: {HELP}")
        case _:
            _try(lambda: _answer(talk, line))
    return True


def _answer(talk: Talk, text: str) -> None:
    """Print an answer as it is written; in a pipe it is one line, an empty one for a question that is refused."""
    piped = not sys.stdin.isatty()
    try:
        with closing(talk.ask(text)) as pieces:
            for piece in pieces:
                click.echo(printed(piece, piped=piped), nl=False)
    finally:
        click.echo()
    if talk.dropped:
        _note(f"{talk.dropped} earlier turns no longer fit and were left out")


def printed(text: str, *, piped: bool) -> str:
    """Return what a model wrote with control characters as their code, which no terminal obeys.

    In a pipe so are the ends of lines, and a backslash is doubled.
    """
    kept = "\t" if piped else "\t\n"
    return "".join(
        character.encode("unicode_escape").decode()
        if character not in kept and unicodedata.category(character) in {"Cc", "Zl", "Zp"}
        else character
        for character in (text.replace("\\", "\\\\") if piped else text)
    )


def _try(step: Any) -> None:
    """Say what a template or the context has no room for, and go on."""
    from rc_pipeline.prompting.dialogue import RowRefused
    from rc_pipeline.prompting.encoding import PromptTooLong

    try:
        step()
    except PromptTooLong as refused:
        _note(f"this question is too long ({str(refused).partition(': ')[2]})")
    except RowRefused as refused:
        _note(str(refused))


def _note(text: str) -> None:
    click.echo(text, err=True)
