"""The models of a rehearsal: each a tiny random variant of its family, and what is wrong with the real one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rc_pipeline.catalog import BaseModelCard, Catalog
from rc_pipeline.catalog.models import FolderSource, HubSource
from rc_pipeline.checkup.findings import Finding, ok, problem, warning
from rc_pipeline.lake.planner import Cached, Planner, missing_files
from rc_pipeline.models.base import BaseModelError, describe_base
from rc_pipeline.models.families import read_in_place, wanted
from rc_pipeline.models.hub import HubError, explained
from rc_pipeline.models.weight_files import weight_files
from rc_pipeline.rehearsing.derived import tiny_source
from rc_pipeline.rehearsing.process import Failed
from rc_pipeline.rehearsing.tiny import Tiny

SECONDS = 10
# Whoever is offline on purpose knows why a hub is out of reach.
OFFLINE = "HF_HUB_OFFLINE"
# Writes a tiny checkpoint: the folder, the family, the folder of the real one, and how far it reads.
WriteTiny = Callable[[Path, str, Path | None, int], Tiny]


@dataclass(frozen=True)
class StandIn:
    """What a rehearsal loads in place of a model: changes to its file, and what it has of the real one."""

    changes: dict[str, Any]
    tiny: Tiny | None
    # Where config.json of the real one lies, if anywhere.
    real: Path | None
    findings: list[Finding]

    @property
    def own_tokenizer(self) -> bool:
        """Tell whether texts are as long as they will be."""
        return self.tiny is None or self.tiny.own_tokenizer


def stand_in(  # noqa: PLR0913, PLR0917
    catalog: Catalog, name: str, planner: Planner, folder: Path, known: Path, write_tiny: WriteTiny
) -> StandIn:
    """Have what stands in for a model written into `folder`; small files of a hub are kept in `known`."""
    card = catalog.models[name]
    source = card.source.model_dump(mode="json")
    changed = tiny_source(card.family, source, folder / name)
    if "folder" not in changed:
        return StandIn({"source": changed}, None, None, [])
    file, findings, real = catalog.origin("models", name), list[Finding](), None
    match card.source:
        case FolderSource():
            node = planner.graph[f"base_models/{name}"]
            gone = missing_files(node)
            if gone:
                from_where = f" from {card.homepage}" if card.homepage else ""
                remedy = f"put the checkpoint{from_where} there, the whole folder beside config.json"
                findings.append(problem(file, f"source.folder: not there: {gone[0]}", remedy))
            else:
                real = next(iter(node.files.values())).parent
                findings += _of_the_folder(file, card, real)
        case HubSource():
            state = planner.state(f"base_models/{name}")
            if isinstance(state, Cached):
                real = state.artifact.folder
            else:
                real, finding = _small_files(file, card.source, known)
                findings.append(finding)
    try:
        tiny = write_tiny(folder / name, card.family, real, card.context_tokens)
    except Failed as error:  # a config.json may lead a class of transformers anywhere
        if real is None:
            raise
        shutil.rmtree(folder / name)
        remedy = "fetch the config.json that belongs to the weights; if it does, this model cannot be used here"
        says = f"no {card.family} can be made by {real}/config.json: {error.kind}: {error}"
        findings.append(problem(file, says, remedy))
        tiny = write_tiny(folder / name, card.family, None, card.context_tokens)
    return StandIn({"source": changed}, tiny, real, findings)


def _of_the_folder(file: str, card: BaseModelCard, folder: Path) -> Iterator[Finding]:
    """Yield what can be told of a checkpoint without loading it."""
    names = wanted(path.name for path in folder.iterdir() if path.is_file())
    try:
        if read_in_place(card.family, names):
            describe_base(folder=folder, family=card.family)
        elif faults := weight_files(folder)[1]:
            raise BaseModelError(faults)
    except BaseModelError as error:
        for fault in error.problems:
            yield problem(file, f"source.folder: {fault}", "the real run would end here")


def _small_files(file: str, source: HubSource, known: Path) -> tuple[Path | None, Finding]:
    """Fetch all but the weights of a checkpoint, which also tells whether it is given to us at all."""
    folder = known / f"{source.hub.replace('/', '--')}-{source.revision[:12]}"
    if (folder / "config.json").is_file():
        return folder, ok(file, f"source.hub: {source.hub} was reached before")
    if os.environ.get(OFFLINE):
        says = f"source.hub: whether {source.hub} can be had was not checked: {OFFLINE} is set"
        return None, warning(file, says, f"rehearse once without {OFFLINE}")
    try:
        size = _fetch(source.hub, source.revision, folder)
    except HubError as error:
        return None, problem(file, str(error), "the real run would end here")
    return folder, ok(file, f"source.hub: {source.hub} is there, {size / 1e9:.1f} GB to fetch")


def _fetch(model: str, revision: str, folder: Path) -> int:
    """Fetch the small files and return the bytes of those that the real run will fetch."""
    from huggingface_hub import HfApi, snapshot_download

    token, endpoint = os.environ.get("HF_TOKEN") or False, os.environ.get("HF_ENDPOINT") or None
    with explained(model, revision):
        about = HfApi(endpoint=endpoint, token=token).model_info(
            model, revision=revision, files_metadata=True, timeout=SECONDS
        )
        sizes = {each.rfilename: each.size or 0 for each in about.siblings or []}
        names = wanted(sizes)
        small = [name for name in names if not name.endswith((".safetensors", ".bin"))]
        snapshot_download(
            model, revision=revision, local_dir=folder, allow_patterns=small, token=token, endpoint=endpoint,
            etag_timeout=SECONDS,
        )  # fmt: skip
    return sum(sizes[name] for name in names)
