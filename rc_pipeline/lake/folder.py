"""Where the lake lies."""

from __future__ import annotations

import os
from pathlib import Path

from rc_pipeline.lake.code import PROJECT


def lake_folder() -> Path:
    """Return RC_LAKE, or data_lake/ in the project."""
    folder = Path(os.environ.get("RC_LAKE") or PROJECT / "data_lake").expanduser().absolute()
    if set("[]*?") & set(str(folder)):
        raise ValueError(f"RC_LAKE={folder}: a lake's path cannot hold any of [ ] * ?; rename the folder")
    return folder
