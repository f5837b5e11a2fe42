"""What nodes of several kinds share."""

from __future__ import annotations

from typing import Any

from rc_pipeline.lake.outcome import JSON


def about_of(thing: Any, *kinds: str) -> dict[str, JSON]:
    """Return what people read of a thing of the catalog."""
    return {
        "title": thing.title,
        "description": thing.description,
        "owners": list(thing.owners),
        "homepage": getattr(thing, "homepage", ""),
        "license": getattr(thing, "license", ""),
        "kinds": list(kinds),
    }
