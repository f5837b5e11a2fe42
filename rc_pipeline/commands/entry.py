"""What every command begins with: the catalog and the lake as they are, and errors without a trace."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from rc_pipeline.catalog import CatalogError
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.durable import LakeUnwritable, clear_disk_errors
from rc_pipeline.lake.folder import lake_folder
from rc_pipeline.lake.planner import Cached, ToBuild
from rc_pipeline.lake.store import Artifact
from rc_pipeline.lineage import Lineage, load_lineage
from rc_pipeline.xray.visible import lines_visible


def reported(command: Callable[..., None]) -> Callable[..., None]:
    """Show an error that a user can act on as one message, without a traceback."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            with clear_disk_errors(lake_folder()):
                command(*args, **kwargs)
        except BrokenPipeError:
            # Whoever read what is printed has read enough, such as `head`; nothing is left to say, or to flush.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (CatalogError, LakeUnwritable, ValueError, OSError) as error:
            # A file's own words may be among these.
            raise click.ClickException(lines_visible(str(error))) from error

    return wrapped


def open_lake() -> tuple[Lineage, Lake]:
    """Return the lineage of the catalog and the lake that holds what is built of it."""
    lineage = load_lineage(lake=lake_folder())
    return lineage, Lake(lake_folder(), lineage.graph)


def standing(lake: Lake, key: str) -> Artifact:
    """Return what is built of a key and up to date; raises ValueError that says how to build it."""
    match lake.planner().state(key):
        case Cached(artifact):
            refused = artifact.manifest.refused_by()
            if refused:
                raise ValueError(
                    f"{key} failed its check {', '.join(refused)}; `rc-pipeline why {key}` shows its inputs"
                )
            return artifact
        case ToBuild(reason):
            why = reason
        case _:
            why = "what it is built from has to be built first"
    raise ValueError(f"{key} does not stand ({why}). Build it:\n  make build KEY={key}")
