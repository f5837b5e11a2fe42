from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from runs import write_report

from rc_pipeline.reporting.folder import TEXTS, write_folder
from rc_pipeline.reporting.references import REFERENCES, bibtex
from rc_pipeline.reporting.scoreboard import ReportError
from rc_pipeline.reporting.study import Files, read_study
from rc_pipeline.reporting.verify import wrong_numbers, wrong_scores

COSMOS = "sample_cosmos/valid"


@pytest.fixture(scope="module")
def built(study: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    write_report(**study, out=folder)
    return folder


def edited(built: Path, folder: Path, name: str, old: str, new: str) -> tuple[Path, int]:
    """Return a copy of a text with the last place of something changed, and the line of it."""
    text = (built / name).read_text(encoding="utf-8")
    head, found, tail = text.rpartition(old)
    assert found
    (folder / name).write_text(head + new + tail, encoding="utf-8")
    return folder / name, head.count("\n") + 1


@pytest.mark.parametrize("name", TEXTS)
def test_a_report_says_what_its_scores_say(built: Path, name: str) -> None:
    assert wrong_numbers(built / name, built / name) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [("report.tex", "{81.3}", "{81.4}"), ("report.html", ">81.3<", ">81.4<"), ("report.md", "**81.3**", "**81.4**")],
)
def test_an_edited_digit_is_found_with_its_line(built: Path, tmp_path: Path, name: str, old: str, new: str) -> None:
    file, line = edited(built, tmp_path, name, old, new)
    found = wrong_numbers(file, built / name)
    assert len(found) == 1
    assert found[0].startswith(f"{file}:{line}: ")
    assert "81.4" in found[0]
    assert "81.3" in found[0]


@pytest.mark.parametrize("name", TEXTS)
def test_an_edited_digit_in_a_sentence_of_the_abstract_is_found(built: Path, tmp_path: Path, name: str) -> None:
    text = (built / name).read_text(encoding="utf-8")
    at = text.index(">81.3<") + 1 if name.endswith("html") else text.index("81.3")
    (tmp_path / name).write_text(text[:at] + "91.3" + text[at + 4 :], encoding="utf-8")
    assert any("91.3" in one and "81.3" in one for one in wrong_numbers(tmp_path / name, built / name))


def test_an_author_may_cite_numbers_by_their_ids_and_not_others(built: Path, tmp_path: Path) -> None:
    name = f"scores/tuned/{COSMOS}:accuracy:value"
    text = (built / "report.tex").read_text(encoding="utf-8")
    for own, problems in ((rf"\rcnum{{{name}}}{{81.3}}", 0), (rf"\rcnum{{{name}}}{{82.3}}", 1), (r"\rcnum{no}{1}", 1)):
        (tmp_path / "report.tex").write_text(text.replace("% end of discussion", f"We see {own}.\n% end of discussion"))
        assert len(wrong_numbers(tmp_path / "report.tex", built / "report.tex")) == problems


def test_a_score_that_is_not_what_its_verdicts_come_to_is_named(study: dict[str, Any], tmp_path: Path) -> None:
    source = study["scores"]["base", COSMOS]
    pl.read_parquet(source / "scores.parquet").with_columns(value=pl.lit(99.0)).write_parquet(
        tmp_path / "scores.parquet"
    )
    pl.read_parquet(source / "questions.parquet").write_parquet(tmp_path / "questions.parquet")
    scores = {**study["scores"], ("base", COSMOS): tmp_path}
    about = {key: value for key, value in study.items() if key not in {"scores", "training"}}
    found = wrong_scores(read_study(files=Files(scores, study["training"]), **about))
    assert len(found) == 1
    assert f"scores/base/{COSMOS}: accuracy is stored as 99.0" in found[0]


def test_every_number_names_a_source_with_a_fingerprint(built: Path) -> None:
    page = json.loads((built / "numbers.json").read_text(encoding="utf-8"))
    made_here = ("comparisons", "flips", "seeds", "study", "slices", "wordings", "probes", "overlaps")
    for name in page["numbers"]:
        artifact = name.partition(":")[0]
        assert artifact in page["sources"] or artifact.partition("/")[0] in made_here, name
    assert all(re.fullmatch("[0-9a-f]{64}", one["content"]) for one in page["sources"].values())


def test_an_edit_outside_of_the_marks_is_refused_before_anything_is_written(built: Path, tmp_path: Path) -> None:
    write_folder(built, tmp_path, "demo")
    file, _ = edited(tmp_path, tmp_path, "report.md", "**81.3**", "**91.3**")
    (tmp_path / "report.tex").unlink()
    with pytest.raises(ReportError, match=r"report\.md was edited outside of the author's parts"):
        write_folder(built, tmp_path, "demo")
    assert not (tmp_path / "report.tex").exists()
    write_folder(built, tmp_path, "demo", force=True)
    assert file.read_text(encoding="utf-8") == (built / "report.md").read_text(encoding="utf-8")


def test_what_an_author_wrote_survives_a_report_with_other_scores(
    study: dict[str, Any], built: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "paper"
    write_folder(built, folder, "demo")
    text = (folder / "report.tex").read_text(encoding="utf-8")
    (folder / "report.tex").write_text(text.replace("% end of discussion", "My own view.\n% end of discussion"))
    (folder / "own.bib").write_text("")
    write_report(**{**study, "description": "Another description."}, out=tmp_path / "again")
    assert write_folder(tmp_path / "again", folder, "demo") == ["report.tex: kept discussion"]
    again = (folder / "report.tex").read_text(encoding="utf-8")
    assert "My own view." in again
    assert "Another description." in again
    assert wrong_numbers(folder / "report.tex", tmp_path / "again" / "report.tex") == []


def test_every_reference_has_what_its_kind_needs() -> None:
    text = bibtex(REFERENCES)
    assert text.count("@") == len(REFERENCES)
    assert all(one.authors and one.title and one.venue and 1900 < one.year < 2100 for one in REFERENCES.values())
    assert text.isascii()
