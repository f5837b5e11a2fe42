from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rc_pipeline.models.architectures import ModelLoadError
from rc_pipeline.models.base import BaseModelError, base_folder, describe_base, write_base
from rc_pipeline.models.loading import load_model
from tests.models.upstream import write_flan_t5


@pytest.fixture
def folder(llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(llama, tmp_path / "model"))


def problems(folder: Path, family: str = "llama") -> str:
    with pytest.raises(BaseModelError) as caught:
        describe_base(folder=folder, family=family)
    return str(caught.value)


def change_config(folder: Path, **fields: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | fields))


def test_every_problem_of_a_folder_is_named_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path).splitlines()

    assert len(found) == 3
    for name, line in zip(("config.json", "model.safetensors", "tokenizer.json"), found, strict=True):
        assert name in line


@pytest.mark.parametrize("text", ["{", "[]", "\xff\xfe", "[" * 100_000, '{"a":' * 100_000])
def test_a_config_that_is_no_json_object_is_named(folder: Path, text: str) -> None:
    (folder / "config.json").write_bytes(text.encode("latin-1"))

    assert "config.json" in problems(folder)


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000, '{"fast_tokenizer_files": ["tokenizer.4.0.0.json"]}'])
def test_files_beside_the_config_are_held_to_the_same(folder: Path, text: str) -> None:
    (folder / "tokenizer_config.json").write_text(text)

    assert "tokenizer_config.json" in problems(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantization_config", {"quant_method": "gptq", "bits": 4}),
        ("quantization_config", "awq"),
        ("transformers_weights", "other.safetensors"),
        ("attn_implementation", "somebody/attention"),
        ("_attn_implementation", {"": "somebody/attention"}),
        ("experts_implementation", "somebody/experts"),
    ],
)
def test_a_config_by_which_other_weights_or_code_would_be_loaded_is_refused(
    folder: Path, field: str, value: object
) -> None:
    change_config(folder, **{field: value})

    assert f"config.json: {field}" in problems(folder)


def test_a_folder_that_says_it_is_an_adapter_of_another_model_is_refused(folder: Path) -> None:
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/somewhere/else"}))

    assert "Merge the two and name the merged model" in problems(folder)


@pytest.mark.parametrize("value", ["two", [2], 2.0, True, 0, {}])
def test_a_size_that_is_no_number_is_named_with_its_value(folder: Path, value: object) -> None:
    change_config(folder, num_hidden_layers=value, rms_norm_eps="small")

    found = problems(folder).splitlines()

    assert len(found) == 2
    assert f"config.json: num_hidden_layers is {value!r}, which is no positive whole number. Fetch" in found[0]
    assert "config.json: rms_norm_eps is 'small', which is no positive number. Fetch" in found[1]


def test_what_its_class_cannot_follow_is_named_when_the_model_is_loaded(folder: Path) -> None:
    change_config(folder, num_hidden_layers=None, attention_dropout="none")

    assert describe_base(folder=folder, family="llama").metadata["layers"] is None
    with pytest.raises(
        ModelLoadError, match=r"config\.json: .*'(num_hidden_layers|attention_dropout)'.* Fetch the one"
    ):
        load_model(folder, family="llama")


def test_an_encoder_without_a_beginning_of_answers_is_refused(tmp_path: Path) -> None:
    folder = write_flan_t5(tmp_path / "flan").folder
    change_config(folder, decoder_start_token_id=None)

    assert "decoder_start_token_id is None, so an answer would have no beginning" in problems(folder, "t5")


def test_a_config_of_another_family_names_the_family_to_state(folder: Path) -> None:
    found = problems(folder, "granite")

    assert "model_type is 'llama'" in found
    assert "`family: llama`" in found


@pytest.mark.parametrize("keep", [4, 40, 5000])
def test_truncated_weights_are_found_without_loading_them(folder: Path, keep: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])

    assert "Fetch the file again" in problems(folder)


def test_a_header_as_long_as_a_disk_is_not_read(folder: Path) -> None:
    size = 100 << 30
    with (folder / "model.safetensors").open("wb") as file:
        file.write((size - 8).to_bytes(8, "little"))
        file.truncate(size)

    assert "is no safetensors file" in problems(folder)


@pytest.mark.parametrize(
    "header",
    [
        b"null",
        b"[" * 100_000,
        b'{"w": {"dtype": "F32", "data_offsets": [0, 0]}}',
        b'{"w": {"shape": [1], "data_offsets": [0, 0]}}',
        b'{"w": {"dtype": "F32", "shape": "xx", "data_offsets": [0, 0]}}',
        b'{"w": {"dtype": "F32", "shape": [1e40], "data_offsets": [0, 0]}}',
        b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [-8, 0]}}',
        b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}',
    ],
)
def test_a_header_that_does_not_say_where_a_weight_lies_is_refused(folder: Path, header: bytes) -> None:
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)

    assert "is no safetensors file" in problems(folder)


def test_weights_that_are_a_git_lfs_pointer_name_the_remedy(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")

    assert "git lfs pull" in problems(folder)


@pytest.mark.parametrize("name", ["consolidated.00.pth", "adapter.bin"])
def test_weights_under_another_name_are_told_the_names_that_are_read(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)

    assert f"{name} has none of these names" in problems(folder)


def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    change_config(folder, vocab_size=100)

    assert "a token with the id 325, but the model knows 100" in problems(folder)


def test_a_tokenizer_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")

    assert "is no tokenizer" in problems(folder)


def test_a_shard_that_the_index_names_must_be_there(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    assert "model-2.safetensors" in problems(folder)


def test_families_without_a_native_class_are_refused_at_build(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="mamba"):
        build(folder, tmp_path / "out", family="mamba")


def test_a_whole_folder_is_described_in_figures(family_folder: tuple[str, Path]) -> None:
    family, folder = family_folder

    outcome = describe_base(folder=folder, family=family)

    assert outcome.metadata["layers"] == 2
    assert outcome.metadata["width"] == 32
    assert outcome.metadata["vocabulary"] == 330
    assert isinstance(outcome.metadata["parameters"], int)
    assert outcome.metadata["parameters"] > 10_000


def test_a_folder_is_noted_and_not_copied(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "artifact"

    build(folder, out)

    assert sorted(path.name for path in out.iterdir()) == ["_paths.json", "files.json"]
    assert str(tmp_path) not in (out / "files.json").read_text()
    assert base_folder(out) == folder


def test_a_noted_file_that_is_gone_is_named(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "artifact"
    build(folder, out)
    (folder / "tokenizer.json").unlink()

    with pytest.raises(BaseModelError, match=r"tokenizer\.json"):
        base_folder(out)


def test_a_shipped_model_is_copied_whole(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "artifact"

    build(folder, out, kind="shipped")

    assert base_folder(out) == out
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def build(folder: Path, out: Path, *, kind: str = "folder", family: str = "llama") -> None:
    files = {path.name: path for path in folder.iterdir()}
    write_base(source={kind: "x"}, family=family, files=files, out=out, scratch=out.parent / "scratch")
