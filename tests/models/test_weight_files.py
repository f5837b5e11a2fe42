"""Weight files: what is refused before it is read, and how little of it is in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rc_pipeline.models.base import BaseModelError
from rc_pipeline.models.weight_files import WeightsError
from tests.models.upstream import artifact, change_weights, write_chatglm2, write_minicpm


def test_a_pickle_that_would_run_code_is_refused_with_the_remedy(tmp_path: Path) -> None:
    upstream = write_minicpm(tmp_path / "a")
    change_weights(upstream, lambda state: state.update({"hook": Path("x")}))  # type: ignore[dict-item]

    with pytest.raises(WeightsError, match="Fetch the safetensors"):
        artifact(upstream, tmp_path / "out")


@pytest.mark.parametrize("data", [b"", b"\x80\x02" + b"x" * 90, b"PK\x03\x04" + b"x" * 90, b"version https://git-lfs"])
def test_weights_that_are_cut_off_or_of_another_form_are_named(data: bytes, tmp_path: Path) -> None:
    upstream = write_minicpm(tmp_path / "a")
    (upstream.folder / "pytorch_model.bin").write_bytes(data)

    with pytest.raises(WeightsError, match=r"pytorch_model\.bin: .*(Fetch|git lfs pull)"):
        artifact(upstream, tmp_path / "out")


def test_an_index_cannot_name_files_outside_of_its_folder(tmp_path: Path) -> None:
    upstream = write_chatglm2(tmp_path / "a")
    index = upstream.folder / "pytorch_model.bin.index.json"
    index.write_text(index.read_text().replace("pytorch_model-00002", "../pytorch_model-00002"))

    with pytest.raises(BaseModelError, match="no file of this folder"):
        artifact(upstream, tmp_path / "out")


WATCHED = """
import sys, threading
from pathlib import Path
from rc_pipeline.models import conversion, loading
from tests.models.upstream import Upstream, artifact

def own_kilobytes():
    return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0])

def watch():
    while not over.wait(0.002):
        top[0] = max(top[0], own_kilobytes())

conversion.SHARD_BYTES = 40 << 20
loading.architecture("minicpm")
before, top, over = own_kilobytes(), [0], threading.Event()
watcher = threading.Thread(target=watch)
watcher.start()
artifact(Upstream(Path(sys.argv[1]), "minicpm"), Path(sys.argv[2]))
over.set()
watcher.join()
print(top[0] - before)
"""


@pytest.mark.slow
def test_a_conversion_holds_a_shard_in_memory_and_not_the_model(tmp_path: Path) -> None:
    sizes = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 8}
    upstream = write_minicpm(tmp_path / "a", **sizes, num_attention_heads=16, num_key_value_heads=16)
    size = (upstream.folder / "pytorch_model.bin").stat().st_size

    command = [sys.executable, "-c", WATCHED, str(upstream.folder), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert size > 500e6
    assert int(done.stdout) * 1024 < 0.1 * size
