"""Raw files: generated, downloaded and verified, or pointed at where the user has put them."""

from __future__ import annotations

from typing import Any

from assets.factory import Heavy, Stage
from rc_pipeline.corpora.sources import write_raw
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.hashing import RememberedHashes
from rc_pipeline.lake.outcome import Outcome


def build(work: Work, _: Heavy) -> Outcome:
    """Bring a dataset's raw files within reach."""
    settings: dict[str, Any] = dict(work.settings)
    source, urls = settings["source"], work.about.get("urls")
    if "download" in source and isinstance(urls, dict):
        source = {"download": {name: told | {"url": urls[name]} for name, told in source["download"].items()}}
    return write_raw(
        source=source,
        fmt=settings.get("format", ""),
        files=work.files,
        out=work.out,
        scratch=work.scratch,
        say=work.say,
        # The plan has read these files already.
        digest=RememberedHashes(work.lake / "cache" / "hashes").of,
    )


STAGE = Stage(build, lambda _: {}, "The files as their authors publish them.")
