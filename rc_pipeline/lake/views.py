"""The views of the warehouse: one a table of the lake, those over all datasets, and those of error analysis."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rc_pipeline.lake.canonical import sha256_json
from rc_pipeline.lake.store import Artifact

if TYPE_CHECKING:
    import duckdb

# Always there with these columns, so that a query written for a full lake does not fail on an empty or an older one.
SHARED_VIEWS = {
    "instructions": "instruction_id VARCHAR, row_id VARCHAR, dataset VARCHAR, split VARCHAR, template VARCHAR, "
    "instruction VARCHAR, input VARCHAR, passage_start BIGINT, passage_end BIGINT, choices VARCHAR[], "
    "gold_answers VARCHAR[], question VARCHAR",
    "predictions": "run VARCHAR, eval_set VARCHAR, instruction_id VARCHAR, row_id VARCHAR, prompt_tokens INTEGER, "
    "passage_tokens_cut INTEGER, passage_characters_kept INTEGER, answer VARCHAR, written VARCHAR, choice TINYINT, "
    "answer_tokens INTEGER, finished BOOLEAN",
    "scores": "run VARCHAR, eval_set VARCHAR, metric VARCHAR, value DOUBLE, low DOUBLE, high DOUBLE, n BIGINT",
    "score_slices": "run VARCHAR, eval_set VARCHAR, metric VARCHAR, slice VARCHAR, value DOUBLE, low DOUBLE, "
    "high DOUBLE, n BIGINT",
    "scored_questions": "run VARCHAR, eval_set VARCHAR, instruction_id VARCHAR, key VARCHAR, row_id VARCHAR, "
    "template VARCHAR, answer VARCHAR, gold VARCHAR, correct BOOLEAN, f1 DOUBLE, problem VARCHAR, "
    "question_word VARCHAR, passage_words INTEGER, choice INTEGER, gold_label INTEGER, has_none_option BOOLEAN",
    "comparisons": "study VARCHAR, kind VARCHAR, run_a VARCHAR, run_b VARCHAR, eval_set VARCHAR, metric VARCHAR, "
    "n BIGINT, a DOUBLE, b DOUBLE, difference DOUBLE, low DOUBLE, high DOUBLE, p_corrected DOUBLE",
    "flipped": "study VARCHAR, run_a VARCHAR, run_b VARCHAR, eval_set VARCHAR, key VARCHAR, row_id VARCHAR, "
    "change VARCHAR",
    # What `rc-pipeline judge` writes, outside of the store; the view `judgements` adds whether a row is stale.
    "judgement_rows": "judgement VARCHAR, kind VARCHAR, judged_by VARCHAR, judge VARCHAR, prompt VARCHAR, "
    "eval_set VARCHAR, key VARCHAR, instruction_id VARCHAR, cluster VARCHAR, run_a VARCHAR, run_b VARCHAR, "
    "answer_a VARCHAR, answer_b VARCHAR, outcome VARCHAR, favours VARCHAR, reply VARCHAR, reply_swapped VARCHAR, "
    "predictions_a VARCHAR, predictions_b VARCHAR, instructions VARCHAR, grade TINYINT, "
    "seed BIGINT, judged_at TIMESTAMPTZ",
    "quarantine": "dataset VARCHAR, split VARCHAR, source_file VARCHAR, source_line BIGINT, reason VARCHAR",
}


@dataclass(frozen=True)
class Union:
    """The tables of one stage that have certain columns, of all datasets, as one view."""

    stage: str
    needed: tuple[str, ...]
    select: str
    columns: str


UNIONS = {
    "raw_rows": Union(
        "tables",
        ("row_id", "source_file", "source_line"),
        "SELECT row_id, {name} AS table_name, {question} AS question, source_file, source_line, to_json(t) AS row "
        "FROM {view} AS t",
        "row_id VARCHAR, table_name VARCHAR, question VARCHAR, source_file VARCHAR, source_line BIGINT, row JSON",
    ),
    "passages": Union(
        "passages",
        ("row_id", "windows"),
        "SELECT row_id, {name} AS table_name, tokens, holds_answer, windows FROM {view} AS t",
        "row_id VARCHAR, table_name VARCHAR, tokens BIGINT, holds_answer BOOLEAN, "
        'windows STRUCT(evidence_id VARCHAR, "start" BIGINT, "end" BIGINT, score FLOAT)[]',
    ),
}
ERROR_ANALYSIS = Path(__file__).with_name("error_analysis.sql").read_text(encoding="utf-8")
# What a warehouse was made by; one made by other definitions is not current.
DEFINITIONS = sha256_json([SHARED_VIEWS, [asdict(union) for union in UNIONS.values()], ERROR_ANALYSIS])
STATEMENTS = [text for text in re.split(r";\s*$", ERROR_ANALYSIS, flags=re.MULTILINE) if text.strip()]
_CREATED = re.compile(r"CREATE (?:VIEW|MACRO) (\w+)")
# The views that are there whatever the datasets are.
NAMES = frozenset({*SHARED_VIEWS, *UNIONS, *re.findall(r"CREATE VIEW (\w+)", ERROR_ANALYSIS)})


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return text as an SQL string, for the places where SQL takes no parameter."""
    return "'" + text.replace("'", "''") + "'"


class CannotBeMade(ValueError):
    """A view that the database refuses; the transaction that it was to be made in is lost."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name, self.reason = name, reason


def create_views(
    connection: duckdb.DuckDBPyConnection, heads: Iterable[Artifact], judgements: Iterable[Path] = ()
) -> None:
    """Create all views and macros; one that cannot be made is listed in `skipped`.

    In one transaction: a commit to disk for each of them would take longer than all else.
    """
    artifacts, skipped = list(heads), dict[str, str]()
    judged = [str(path) for path in judgements]
    while True:
        connection.begin()
        try:
            _create_all(connection, artifacts, judged, skipped)
        except CannotBeMade as error:
            connection.rollback()
            skipped[error.name] = error.reason
        else:
            break
    connection.execute("CREATE TABLE skipped (view_name VARCHAR, reason VARCHAR)")
    for row in skipped.items():
        connection.execute("INSERT INTO skipped VALUES (?, ?)", row)
    connection.commit()


def _create_all(
    connection: duckdb.DuckDBPyConnection, artifacts: list[Artifact], judged: list[str], skipped: Collection[str]
) -> None:
    files = {"judgement_rows": judged} if judged else {}
    stages: dict[str, str] = {}
    for artifact in artifacts:
        for view, names in artifact.manifest.results().tables.items():
            files.setdefault(view, []).extend(str(artifact.folder / name) for name in names)
            stages[view] = artifact.manifest.stage
    columns = {
        view: _create_table_view(connection, view, sorted(set(files[view]))) for view in sorted(files.keys() - skipped)
    }
    for view in sorted(SHARED_VIEWS.keys() - columns.keys()):
        connection.execute(f"CREATE TABLE {quoted(view)} ({SHARED_VIEWS[view]})")
    for name, union in UNIONS.items():
        parts = [
            union.select.format(
                view=quoted(view), name=literal(view), question="question" if "question" in found else "NULL::VARCHAR"
            )
            for view, found in columns.items()
            if name not in skipped and stages.get(view) == union.stage and found.issuperset(union.needed)
        ]
        made = f"VIEW {name} AS {' UNION ALL BY NAME '.join(parts)}" if parts else f"TABLE {name} ({union.columns})"
        _create(connection, name, f"CREATE {made}")
    for statement in STATEMENTS:
        # A user's table may bear the name, and then keeps it.
        name = "".join(_CREATED.findall(statement)[:1]) + " of error analysis"
        if name not in skipped:
            _create(connection, name, statement)


def _create_table_view(connection: duckdb.DuckDBPyConnection, view: str, files: list[str]) -> set[str]:
    """Create the view of a table and return its columns; those that older artifacts lack are null."""
    source = f"read_parquet([{', '.join(map(literal, files))}], union_by_name=true)"
    _create(connection, view, f"CREATE VIEW {quoted(view)} AS SELECT * FROM {source}")  # noqa: S608
    columns = "SELECT column_name FROM duckdb_columns() WHERE table_name = ?"
    found = {name for (name,) in connection.execute(columns, [view]).fetchall()}
    wanted = dict(column.split(" ") for column in SHARED_VIEWS.get(view, "").split(", ") if column)
    more = "".join(f", NULL::{kind} AS {name}" for name, kind in wanted.items() if name not in found)
    if more:
        connection.execute(f"CREATE OR REPLACE VIEW {quoted(view)} AS SELECT *{more} FROM {source}")  # noqa: S608
    return found | wanted.keys()


def _create(connection: duckdb.DuckDBPyConnection, name: str, statement: str) -> None:
    import duckdb

    try:
        connection.execute(statement)
    except duckdb.Error as error:
        raise CannotBeMade(name, str(error)) from error
