"""Datasets of the Hugging Face hub, at one commit, as one Parquet file a split.

The hub's libraries take their cache, token and endpoint from the environment when they are imported, so they run in a
process of their own: its cache is the build's scratch folder, and its only token is the one in HF_TOKEN.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

from rc_pipeline.corpora.downloads import DownloadFailed, DownloadRefused
from rc_pipeline.corpora.transfers import SECONDS_BETWEEN_LINES, Say, megabytes
from rc_pipeline.lake.durable import LakeUnwritable

# Rows of text and numbers; the libraries run no scripts and load no pickles, and media could name other files.
READABLE = frozenset({"arrow", "csv", "json", "parquet", "text"})
OWN_PLACES = (
    "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ASSETS_CACHE", "HF_DATASETS_CACHE", "HF_MODULES_CACHE",
    "HF_DATASETS_DOWNLOADED_DATASETS_PATH", "HF_DATASETS_EXTRACTED_DATASETS_PATH", "HF_XET_CACHE", "HF_TOKEN_PATH",
)  # fmt: skip
QUIET = {
    "DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
}  # fmt: skip
OUTCOMES: tuple[type[Exception], ...] = (DownloadFailed, DownloadRefused, LakeUnwritable)


def write_hub(*, hub: Mapping[str, Any], folder: Path, scratch: Path, say: Say) -> dict[str, int]:
    """Write `folder`/<split>.parquet for every split that is asked for, and return how many rows each has."""
    from rc_pipeline.worker import PARENT

    cache = scratch / "hub"
    cache.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    answer = cache / "answer.json"
    answer.unlink(missing_ok=True)
    spec = {"hub": dict(hub), "folder": str(folder), "answer": str(answer)}
    environment = {name: value for name, value in os.environ.items() if name not in OWN_PLACES}
    process = subprocess.Popen(
        [sys.executable, "-m", "rc_pipeline.corpora.hub", json.dumps(spec)],
        env=environment | QUIET | {"HF_HOME": str(cache), PARENT: str(os.getpid())},
        stdin=subprocess.DEVNULL,
    )
    try:
        _wait(process, cache, f"{hub['id']}: ", say)
    finally:
        process.kill()
        process.wait()
    said = json.loads(answer.read_text(encoding="utf-8")) if answer.is_file() else {}
    if "rows" in said:
        rows: dict[str, int] = said["rows"]
        return rows
    if said.get("error") == "DownloadRefused":
        shutil.rmtree(cache, ignore_errors=True)
    kind = next((one for one in OUTCOMES if one.__name__ == said.get("error")), DownloadFailed)
    raise kind(said.get("text") or f"hub: {hub['id']}: its process ended with code {process.returncode}. Start again.")


def _wait(process: subprocess.Popen[bytes], cache: Path, title: str, say: Say) -> None:
    while process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_BETWEEN_LINES)
            return
        here = 0
        for path in cache.rglob("*"):
            # Files come and go while they are counted.
            with suppress(OSError):
                here += path.lstat().st_size
        say(f"{title}{megabytes(here)} are here")


def main(argv: list[str]) -> int:
    """Do the work of `write_hub` in a process of its own, and leave what came of it in a file."""
    from rc_pipeline.worker import die_with_parent

    spec = json.loads(argv[0])
    die_with_parent()
    answer: dict[str, Any]
    try:
        answer = {"rows": _fetch(spec["hub"], Path(spec["folder"]))}
    except OUTCOMES as error:
        answer = {"error": type(error).__name__, "text": str(error)}
    except Exception as error:
        traceback.print_exc()
        answer = {"error": "DownloadFailed", "text": str(_unreadable(spec["hub"], f"cannot be read ({error!r})"))}
    Path(spec["answer"]).write_text(json.dumps(answer), encoding="utf-8")
    return 0


def _fetch(hub: Mapping[str, Any], folder: Path) -> dict[str, int]:
    """Download the files of the splits that are asked for and write them as Parquet, a batch at a time."""
    with _explained(hub):
        builder = _builder(hub)
        promised = {name: split.num_examples for name, split in (builder.info.splits or {}).items()}
        builder.download_and_prepare(verification_mode="no_checks")
        rows = {}
        for split, theirs in hub["splits"].items():
            data = builder.as_dataset(split=theirs)
            if promised.get(theirs) not in (None, 0, len(data)):
                raise DownloadRefused(
                    f"hub.splits.{split}: {theirs} of {hub['id']} has {len(data)} rows, but its own description says "
                    f"{promised[theirs]}. Take another hub.revision. {_by_hand(hub)}"
                )
            data.to_parquet(folder / f"{split}.parquet")
            rows[split] = len(data)
        return rows


def _builder(hub: Mapping[str, Any]) -> Any:
    """Return what knows the data files of the splits that are asked for, and of no others."""
    from datasets import load_dataset_builder
    from datasets.data_files import DataFilesDict
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub import HfApi
    from pyarrow.dataset import ParquetFragmentScanOptions

    told = HfApi().dataset_info(hub["id"], revision=hub["revision"], timeout=60)
    try:
        # Without the prefix, a folder <owner>/<name> of the current directory would be read instead.
        builder = load_dataset_builder(
            f"hf://datasets/{hub['id']}", name=hub.get("config") or None, revision=hub["revision"]
        )
    except DatasetNotFoundError as error:
        raise (_gated(hub) if told.gated else DownloadFailed(f"hub: {hub['id']}: {error}")) from error
    except FileNotFoundError as error:
        raise _unreadable(hub, "has no data files that can be read") from error
    except RuntimeError as error:
        raise _unreadable(hub, f"needs code of its own, which is never run here ({error})") from error
    except ValueError as error:
        said = " ".join(str(error).partition("\nExample")[0].split())
        if not said.startswith(("BuilderConfig", "Config name")):
            # One of them: data files that lie outside of the dataset's own repository.
            raise _unreadable(hub, f"cannot be read ({said})") from error
        raise DownloadRefused(f"hub.config is {hub.get('config') or ''!r} for {hub['id']}. {said}.") from error
    kind = type(builder).__module__.rpartition(".")[2]
    if kind not in READABLE:
        raise _unreadable(hub, f"is of the kind {kind}, and only {', '.join(sorted(READABLE))} are read")
    files = {str(name): paths for name, paths in (builder.config.data_files or {}).items()}
    for split, theirs in hub["splits"].items():
        if theirs not in files:
            raise DownloadRefused(
                f"hub.splits.{split} is {theirs!r}, which {hub['id']} does not have. It has {', '.join(sorted(files))}."
            )
    builder.config.data_files = DataFilesDict({theirs: files[theirs] for theirs in sorted(set(hub["splits"].values()))})
    if kind == "parquet":
        # With Arrow's read-ahead a whole file is in memory before its end is reached.
        builder.config.fragment_scan_options = ParquetFragmentScanOptions(pre_buffer=False)
    return builder


@contextmanager
def _explained(hub: Mapping[str, Any]) -> Iterator[None]:
    """Turn what the libraries raise into one message each, with the remedy."""
    from datasets.exceptions import DatasetsError
    from huggingface_hub import errors
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

    place = f"{hub['id']} at revision {hub['revision']}"
    try:
        yield
    except OUTCOMES:
        raise
    except errors.HfHubHTTPError as error:
        raise _answered(hub, error) from error
    except (errors.OfflineModeIsEnabled, ConnectionError, TimeoutError, httpx.TransportError) as error:
        offline = "HF_HUB_OFFLINE is set" if isinstance(error, errors.OfflineModeIsEnabled) else "check the network"
        raise DownloadFailed(f"hub: {place} cannot be reached ({offline}). {_by_hand(hub)}") from error
    except (DatasetsError, OSError) as error:
        # The libraries hand a full disk over as text, or as the cause of an error of their own.
        cause = str(error.__cause__ or error)
        if any(sign in cause for sign in ("disk space", os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))):
            raise LakeUnwritable(
                f"hub: {place}: the disk is full ({cause}). Free some space (`rc-pipeline gc` removes what no study "
                "needs), or set RC_LAKE to a larger disk."
            ) from error
        if isinstance(error, DatasetsError):
            raise _unreadable(hub, f"cannot be read ({cause})") from error
        raise


def _answered(hub: Mapping[str, Any], error: Any) -> Exception:
    """Tell what the hub refuses from what it may give later."""
    from huggingface_hub import errors

    code = error.response.status_code
    if isinstance(error, errors.GatedRepoError):
        return _gated(hub)
    if isinstance(error, errors.RepositoryNotFoundError):
        return DownloadRefused(
            f"hub.id: there is no dataset {hub['id']!r} on the hub, or it is private. Correct hub.id, or put a token "
            "that may read it into the environment variable HF_TOKEN."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return DownloadRefused(
            f"hub.revision: {hub['id']} has no commit {hub['revision']}. Take the hash from its page, under History."
        )
    if code == HTTPStatus.TOO_MANY_REQUESTS or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return DownloadFailed(f"hub: {hub['id']}: the hub answered {code}. Start again later.")
    return DownloadRefused(f"hub: {hub['id']}: the hub answered {code}. Check HF_TOKEN. {_by_hand(hub)}")


def _gated(hub: Mapping[str, Any]) -> DownloadRefused:
    return DownloadRefused(
        f"hub.id: {hub['id']} is gated. Accept its terms on its page, and put a token of that account into the "
        "environment variable HF_TOKEN."
    )


def _unreadable(hub: Mapping[str, Any], what: str) -> DownloadRefused:
    return DownloadRefused(f"hub.id: {hub['id']} {what}. {_by_hand(hub)}")


def _by_hand(hub: Mapping[str, Any]) -> str:
    name = str(hub["id"]).partition("/")[2]
    files = ", ".join(f"{split}.parquet: {name}/<file of {theirs}>" for split, theirs in sorted(hub["splits"].items()))
    return (
        f"Or fetch its files where there is a network (`hf download {hub['id']} --repo-type dataset --revision "
        f"{hub['revision']}`), put them into the lake's inbox, data_lake/inbox/{name}/, and write "
        f"source: {{files: {{{files}}}}} instead of source.hub."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
