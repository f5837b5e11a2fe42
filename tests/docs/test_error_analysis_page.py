"""The page's queries over a small run of the demo: real models on fewer rows, so figures differ and columns do not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import duckdb
import pytest
from click.testing import CliRunner
from pages import Command, Page, table

from rc_pipeline.cli import main
from rc_pipeline.commands import entry
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.views import NAMES
from rc_pipeline.lineage import load_lineage
from tests.demo.small_study import SmallStudy

PAGE = Page("error-analysis.md")
COMMANDS = [pytest.param(one, id=" ".join(one.text.split())[:70]) for one in PAGE.commands()]
LISTED = {
    name: columns.split(", ")
    for name, columns in re.findall(r"^\| `(\w+)` \| [^|`]*`(\w+(?:, \w+)+)`", PAGE.text, re.M)
}
# A query may find nothing among so few rows where it looks for what seldom happens.
SELDOM = ("truncated_answers", "flips", "errors", "trivia_error", "HAVING NOT")


@pytest.fixture(scope="module")
def lake(demo: SmallStudy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    study = demo.copy(tmp_path_factory.mktemp("demo"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RC_LAKE", str(study.lake))
        patch.setenv("COLUMNS", "400")
        patch.setattr(entry, "load_lineage", partial(load_lineage, study.catalog))
        yield Lake(study.lake, load_lineage(study.catalog, study.lake).graph)


@pytest.fixture
def warehouse(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    with lake.warehouse.connect() as connection:
        yield connection


@pytest.mark.parametrize("command", COMMANDS)
def test_every_query_answers_with_the_columns_that_the_page_shows(lake: Lake, command: Command) -> None:
    printed = CliRunner().invoke(main, command.words[1:])
    assert printed.exit_code == 0, printed.output
    names, types, rows = table(printed.output)
    assert (names, types) == table(command.shown)[:2]
    assert rows or any(word in command.text for word in SELDOM), printed.output


def test_the_page_shows_a_dozen_queries_and_what_each_printed() -> None:
    assert len(PAGE.commands()) >= 12
    assert all(table(command.shown)[2] for command in PAGE.commands())


def test_no_view_is_left_out_and_none_could_not_be_made(lake: Lake, warehouse: duckdb.DuckDBPyConnection) -> None:
    told = PAGE.text + Page("warehouse.md").text
    assert [name for name in sorted(NAMES) if f"`{name}`" not in told] == []
    assert warehouse.execute("FROM skipped").fetchall() == []


@pytest.mark.parametrize("view", LISTED)
def test_a_view_has_the_columns_that_the_page_lists(warehouse: duckdb.DuckDBPyConnection, view: str) -> None:
    asked = "flips('a', 'b')" if view == "flips" else view
    assert [name for name, *_ in warehouse.execute(f"DESCRIBE FROM {asked}").fetchall()] == LISTED[view]


def test_the_page_lists_every_column_of_comparisons(warehouse: duckdb.DuckDBPyConnection) -> None:
    columns = [name for name, *_ in warehouse.execute("DESCRIBE comparisons").fetchall()]
    assert (
        re.findall(
            r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*) \|", PAGE.text.partition("column of `comparisons`")[2], re.M))
        )
        == columns
    )


RECOUNTED = """
CREATE TEMP TABLE recounted AS
SELECT p.run, p.eval_set, p.row_id, 'accuracy' AS metric, (p.choice = r.label)::DOUBLE AS value
FROM predictions AS p JOIN sample_cosmos AS r USING (row_id)
UNION ALL
SELECT p.run, p.eval_set, p.row_id, unnest(['exact_match', 'f1']),
       unnest([trivia_exact(p.answer, a.accepted)::DOUBLE, trivia_f1(p.answer, a.accepted)])
FROM predictions AS p JOIN (
    SELECT row_id, list(alias) FILTER (normalised OR human) AS accepted FROM sample_trivia_answers GROUP BY row_id
) AS a USING (row_id)
"""


def test_every_score_of_the_report_is_reached_from_raw_rows_by_sql_alone(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute(RECOUNTED)
    found = warehouse.execute(
        "SELECT run, eval_set, metric, s.value, s.n, 100 * avg(r.value), count(*) "
        "FROM scores AS s LEFT JOIN recounted AS r USING (run, eval_set, metric) GROUP BY ALL"
    ).fetchall()
    assert len(found) == 9
    for *_, value, n, recounted, counted in found:
        assert (recounted, counted) == (pytest.approx(value), n)


def test_every_comparison_of_the_report_is_reached_so_too(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute(RECOUNTED)
    found = warehouse.execute(
        "SELECT c.run_b, c.metric, c.n, c.a, c.b, c.difference, c.better, c.worse, count(*), "
        "100 * avg(x.value), 100 * avg(y.value), 100 * avg(y.value - x.value), "
        "count(*) FILTER (y.value > x.value), count(*) FILTER (y.value < x.value) "
        "FROM comparisons AS c JOIN recounted AS x ON (x.run, x.eval_set, x.metric) = (c.run_a, c.eval_set, c.metric) "
        "JOIN recounted AS y ON (y.run, y.eval_set, y.metric, y.row_id) = (c.run_b, c.eval_set, c.metric, x.row_id) "
        "GROUP BY ALL"
    ).fetchall()
    assert len(found) == 6
    for row in found:
        assert row[2:8] == pytest.approx(row[8:])


def test_every_prediction_leads_to_its_instruction_template_passage_and_raw_row(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    query = (
        "SELECT count(*), count(instruction), count(t.definition), count(passage), count(raw_row), count(source_line) "
        "FROM answers AS a LEFT JOIN templates AS t "
        "ON t.template = a.template AND t.dataset = split_part(a.row_id, '/', 1)"
    )
    [(predictions,)] = warehouse.execute("SELECT count(*) FROM predictions").fetchall()
    assert warehouse.execute(query).fetchall() == [(predictions,) * 6]
