from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pages import Command, Page, Reader

from rc_pipeline.catalog.formats import FORMATS
from rc_pipeline.corpora.downloads import WrongChecksum
from rc_pipeline.lake.store import Store
from rc_pipeline.lineage import load_lineage
from rc_pipeline.tables.quarantine import TablesError

PAGE = Page("datasets.md")
DATASETS = [Path(file).stem for file in PAGE.files if file.startswith("catalog/datasets/")]
# Their files are not on the page: an archive that the test makes, a server, the hub.
ELSEWHERE = {"tasks_in_a_folder", "from_afar", "from_the_hub"}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with pytest.MonkeyPatch.context() as patch:
        reader = Reader(tmp_path_factory.mktemp("reader"), patch)
        reader.write(PAGE.files)
        yield reader


@dataclass
class Built:
    """The datasets whose files are on the page, built."""

    reader: Reader

    def rows(self, dataset: str) -> dict[str, object]:
        head = Store(self.reader.lake_folder).head(f"instructions/{dataset}")
        assert head is not None
        assert not head.manifest.refused_by()
        return {name: count for name, count in head.manifest.results().metadata.items() if name.startswith("rows: ")}


@pytest.fixture(scope="module")
def built(reader: Reader) -> Built:
    for dataset in DATASETS:
        if dataset not in ELSEWHERE:
            reader.build(f"instructions/{dataset}")
    return Built(reader)


def test_the_page_has_an_example_of_every_format(reader: Reader) -> None:
    catalog = load_lineage(reader.folder / "catalog", reader.lake_folder).catalog
    assert {catalog.datasets[name].format for name in DATASETS} == set(FORMATS)


@pytest.mark.parametrize("dataset", sorted(set(DATASETS) - ELSEWHERE))
def test_every_example_becomes_instructions(built: Built, dataset: str) -> None:
    assert any(built.rows(dataset).values())


@pytest.mark.parametrize("command", [pytest.param(one, id=one.text[:60]) for one in PAGE.commands()])
def test_every_command_prints_what_the_page_shows(built: Built, command: Command) -> None:
    command.require(built.reader.give(command))


def test_a_folder_and_an_archive_are_read_where_they_lie(reader: Reader) -> None:
    (task,) = (reader.folder / "data_lake/inbox/ni/tasks").iterdir()
    with zipfile.ZipFile(reader.folder / "data_lake/inbox/ni/more.zip", "w") as archive:
        archive.write(task, f"tasks/{task.name}")
        archive.writestr("__MACOSX/._task.json", "no task")
    reader.build("instructions/tasks_in_a_folder")
    assert Built(reader).rows("tasks_in_a_folder") == {"rows: train": 2, "rows: test": 2}


def test_a_download_is_known_by_its_checksum(reader: Reader) -> None:
    target = reader.folder / "data_lake/inbox/reading_zh/train.json"
    file = reader.folder / "catalog/datasets/from_afar.yaml"
    said = file.read_text(encoding="utf-8")
    here = said.replace("https://example.org/squad/train.json", target.as_uri())
    assert here != said
    file.write_text(here, encoding="utf-8")
    with pytest.raises(WrongChecksum):
        reader.build("raw/from_afar")
    before = said.split("sha256: ")[1].strip()
    file.write_text(here.replace(before, hashlib.sha256(target.read_bytes()).hexdigest()), encoding="utf-8")
    reader.build("instructions/from_afar")
    assert Built(reader).rows("from_afar") == {"rows: train": 2}
    file.write_text(said, encoding="utf-8")


def test_too_many_bad_rows_end_the_build_with_the_message_of_the_page(reader: Reader) -> None:
    file = reader.folder / "catalog/datasets/my_quiz.yaml"
    said = file.read_text(encoding="utf-8")
    file.write_text(said.replace("tolerated_bad_rows: 0.2 ", "tolerated_bad_rows: 0 "), encoding="utf-8")
    with pytest.raises(TablesError) as error:
        reader.build("tables/my_quiz")
    assert f"```\ntables/my_quiz: {error.value}\n```" in PAGE.text
    file.write_text(said, encoding="utf-8")
