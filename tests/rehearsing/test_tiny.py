"""Tiny checkpoints: of every family, with and without the real one at hand, built and loaded as any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from rc_pipeline.models.base import base_folder, write_base
from rc_pipeline.models.families import read_in_place, wanted
from rc_pipeline.models.loading import load_model, load_tokenizer
from rc_pipeline.rehearsing.tiny import write_tiny
from tests.models.upstream import WRITERS

FAMILIES = ("llama", "granite", "gpt2", "glm", "t5", "minicpm", "chatglm2", "native")


def built(folder: Path, family: str) -> Path:
    files = {name: folder / name for name in wanted(path.name for path in folder.iterdir())}
    out = folder.parent / f"built-{folder.name}"
    write_base(source={"folder": ""}, family=family, files=files, out=out, scratch=folder.parent / "scratch")
    return base_folder(out)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_rehearsed_before_any_of_its_files_is_there(tmp_path: Path, family: str) -> None:
    tiny = write_tiny(tmp_path / "tiny", family=family, real=None, context_tokens=700)
    folder = built(tmp_path / "tiny", family)

    assert not tiny.own_tokenizer
    model = load_model(folder, family=family)
    assert model.num_parameters() < 1_000_000
    assert load_tokenizer(folder).eos_token_id == 2


@pytest.mark.parametrize("name", WRITERS)
def test_a_real_checkpoint_lends_its_layout_and_its_tokenizer(tmp_path: Path, name: str) -> None:
    real = WRITERS[name](tmp_path / "real")
    tiny = write_tiny(tmp_path / "tiny", family=real.family, real=real.folder, context_tokens=200)

    assert tiny.own_config and tiny.own_tokenizer
    names = [[path.name for path in folder.iterdir()] for folder in (real.folder, tmp_path / "tiny")]
    assert len({read_in_place(real.family, each) for each in names}) == 1
    folder = built(tmp_path / "tiny", real.family)
    load_model(folder, family=real.family)
    own = built(real.folder, real.family)
    text = "Anna lives in Rome."
    assert load_tokenizer(folder)(text)["input_ids"] == load_tokenizer(own)(text)["input_ids"]


def test_the_code_of_a_checkpoint_is_not_taken_along(tmp_path: Path) -> None:
    real = WRITERS["minicpm"](tmp_path / "real")
    write_tiny(tmp_path / "tiny", family="minicpm", real=real.folder, context_tokens=200)

    assert not list((tmp_path / "tiny").glob("*.py"))
    assert "auto_map" not in (tmp_path / "tiny" / "config.json").read_text()
