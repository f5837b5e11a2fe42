"""The domain modules that decide what a stage's artifacts say; a test holds that they import nothing else."""

from __future__ import annotations

_CORPORA, _TABLES, _MODELS = "rc_pipeline.corpora", "rc_pipeline.tables", "rc_pipeline.models"
_SAMPLE = tuple(f"{_CORPORA}.sample_{part}" for part in ("world", "documents", "text", "names"))
_RUNNING = (
    "rc_pipeline.prompting",
    *(f"{_MODELS}.{part}" for part in ("architectures", "families", "loading")),
    "rc_pipeline.instructions.shots",
)

# Rows are compared in one way, among training rows and between them and evaluation rows.
_COMPARING = (
    *(f"rc_pipeline.overlaps.{part}" for part in ("sketches", "texts", "words")),
    "rc_pipeline.passages.units",
)
_IDENTITY = ("", "_questions", "_patterns_en", "_patterns_zh")

# The tables of a format are decided by the modules of that format, and rebuilt for no other one's sake.
_EVERY_TABLE = (
    *(f"{_TABLES}.{part}" for part in ("build", "quarantine", "schemas")),
    *(f"{_CORPORA}.{part}" for part in ("archives", "json_stream", "readers", "tar_headers", "unpacking")),
)
_ROWS = (
    *_EVERY_TABLE,
    f"{_TABLES}.rows",
    *(f"{_CORPORA}.{part}" for part in ("csv_records", "inventory", "records", "zips")),
)
_TALK = (*_ROWS, f"{_TABLES}.talk")
_CHAT = (*_TALK, f"{_TABLES}.conversations", f"{_CORPORA}.conversations")
TABLES: dict[str, tuple[str, ...]] = {
    "cosmos_qa": (*_ROWS, f"{_TABLES}.cosmos_qa", f"{_CORPORA}.cosmos_qa"),
    "trivia_qa": (
        *_EVERY_TABLE,
        *(
            f"{_TABLES}.{part}"
            for part in ("evidence", "parquet_stream", "trivia_checks", "trivia_pages", "trivia_qa", "trivia_questions")
        ),
        f"{_CORPORA}.trivia_qa",
    ),
    "alpaca": (*_TALK, f"{_TABLES}.alpaca", f"{_CORPORA}.alpaca"),
    "sharegpt": (*_CHAT, f"{_TABLES}.sharegpt", f"{_CORPORA}.sharegpt"),
    "openai": (*_CHAT, f"{_TABLES}.openai", f"{_CORPORA}.openai"),
    "squad": (*_ROWS, f"{_TABLES}.squad", f"{_CORPORA}.squad"),
    "parallel": (*_ROWS, f"{_TABLES}.parallel", *(f"{_CORPORA}.{part}" for part in ("parallel", "languages"))),
    **{fmt: (*_ROWS, f"{_TABLES}.{fmt}", f"{_CORPORA}.{fmt}") for fmt in ("super_ni", "bigbench")},
    "mmlu": (*_ROWS, f"{_TABLES}.mmlu", f"{_CORPORA}.mmlu"),
    "records": (*_ROWS, f"{_TABLES}.records", f"{_CORPORA}.mapped_records"),
    "identity": (*_ROWS, f"{_TABLES}.identity", *(f"{_CORPORA}.identity{part}" for part in _IDENTITY)),
}
CODE: dict[str, tuple[str, ...]] = {
    "raw": (
        *(f"{_CORPORA}.{part}" for part in ("sources", "downloads", "transfers", "hub", "identity", "readers")),
        *_SAMPLE,
    ),
    **{f"tables of {fmt}": modules for fmt, modules in TABLES.items()},
    "passages": ("rc_pipeline.passages",),
    "instructions": ("rc_pipeline.instructions", *_COMPARING, "rc_pipeline.xray.preview", "rc_pipeline.xray.visible"),
    "overlaps": (
        "rc_pipeline.overlaps",
        "rc_pipeline.passages.units",
        *(f"rc_pipeline.instructions.{part}" for part in ("rows", "evidence")),
    ),
    "base_models": (_MODELS, *_SAMPLE),
    "adapters": ("rc_pipeline.training", *_RUNNING),
    "predictions": ("rc_pipeline.prediction", *_RUNNING),
    "scores": ("rc_pipeline.scoring",),
    "reports": (
        "rc_pipeline.reporting",
        "rc_pipeline.scoring",
        *(f"rc_pipeline.instructions.{part}" for part in ("probes", "sandbox")),
    ),
}
# A merged model is asked and scored before anybody gets it.
CODE["merged"] = (
    "rc_pipeline.merging", f"{_MODELS}.config_files", f"{_MODELS}.weight_files", *CODE["predictions"], *CODE["scores"],
)  # fmt: skip
