"""Checkpoints of a model hub at one commit: the files that decide the model, and never its code."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rc_pipeline.models.families import wanted


class HubError(ValueError):
    """A checkpoint that the hub does not give; the message says what to do."""


def fetch_checkpoint(model: str, revision: str, folder: Path) -> None:
    """Download a checkpoint into `folder`, going on with what an earlier attempt left there."""
    from huggingface_hub import HfApi, snapshot_download

    # The library would otherwise take its token from a file, too, and its endpoint from when it was imported.
    token = os.environ.get("HF_TOKEN") or False
    endpoint = os.environ.get("HF_ENDPOINT") or None
    with explained(model, revision):
        every = HfApi(endpoint=endpoint, token=token).list_repo_files(model, revision=revision)
        names = [glob.escape(name) for name in wanted(every)]
        snapshot_download(
            model, revision=revision, local_dir=folder, allow_patterns=names, token=token, endpoint=endpoint
        )
    # The library's notes on when it fetched what are no part of the checkpoint.
    shutil.rmtree(folder / ".cache", ignore_errors=True)


@contextmanager
def explained(model: str, revision: str) -> Iterator[None]:
    """Turn what the library raises into one message each, with the remedy."""
    from huggingface_hub import errors
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

    by_hand = (
        f"Or fetch it where there is a network (`hf download {model} --revision {revision} --local-dir "
        f"data_lake/inbox/models/{model.rpartition('/')[2]}`) and write source: {{folder: "
        f"models/{model.rpartition('/')[2]}}} instead of source.hub."
    )
    try:
        yield
    except errors.GatedRepoError as error:
        raise HubError(
            f"source.hub: {model} is gated. Accept its terms on its page, and put a token of that account into the "
            f"environment variable HF_TOKEN. {by_hand}"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise HubError(
            f"source.revision: {model} has no commit {revision}. Take the hash from its page, under History."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise HubError(
            f"source.hub: there is no model {model!r} on the hub, or it is private. Correct the name, or put a token "
            "that may read it into the environment variable HF_TOKEN."
        ) from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, httpx.TransportError) as error:
        why = "HF_HUB_OFFLINE is set" if isinstance(error, errors.OfflineModeIsEnabled) else "check the network"
        raise HubError(f"source.hub: {model} at {revision} cannot be reached ({why}). {by_hand}") from error
    except errors.HfHubHTTPError as error:
        code = error.response.status_code
        raise HubError(f"source.hub: {model}: the hub answered {code}. Start again later. {by_hand}") from error
