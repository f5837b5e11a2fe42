from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from rc_pipeline.training import tracking
from rc_pipeline.training.loop import TrainingDiverged
from rc_pipeline.training.run import train
from rc_pipeline.worker import Progress
from tests.models.tiny_models import instructions, training_spec
from tests.training.test_run import content


def run(spec: dict[str, Any]) -> list[str]:
    said: list[str] = []
    train(spec, Progress("training", said.append))
    return said


@pytest.fixture
def spec(llama: Path, tmp_path: Path) -> dict[str, Any]:
    spec = training_spec(llama, tmp_path, instructions(40), eval_share=0.25)
    return spec | {"key": "adapters/tiny_lora", "fingerprint": "f" * 64}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a client of a store that trainings track into."""
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv(tracking.URI, f"file:{tmp_path / 'mlruns'}")
    return MlflowClient(tracking_uri=f"file:{tmp_path / 'mlruns'}")


@pytest.fixture
def refusing() -> Iterator[str]:
    """Serve an MLflow on 127.0.0.1 that lets nobody in."""

    class Refusing(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(401)
            self.end_headers()
            self.wfile.write(b'{"error_code": "UNAUTHENTICATED", "message": "who is this?"}')

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def the_only_run(client: Any, experiment: str = "rc_pipeline") -> Any:
    number = client.get_experiment_by_name(experiment).experiment_id
    [found] = client.search_runs([number])
    return found


def curve(client: Any, run: Any, name: str) -> dict[int, float]:
    return {point.step: point.value for point in client.get_metric_history(run.info.run_id, name)}


def test_a_training_goes_on_without_mlflow_where_it_is_not_installed(
    spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(tracking.URI, "http://127.0.0.1:1")
    monkeypatch.setattr(tracking, "find_spec", lambda _: None)

    told = [line for line in run(spec) if "MLflow" in line]

    assert told == [
        "MLFLOW_TRACKING_URI is set, but MLflow is not installed: pip install mlflow-skinny. "
        "The training goes on without it."
    ]


def test_a_server_that_refuses_costs_one_line_without_credentials(
    spec: dict[str, Any], refusing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(tracking.URI, f"http://anna:top/secret@{refusing}")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "another-secret")

    told = [line for line in run(spec) if "MLflow" in line]

    assert len(told) == 1
    assert "The training goes on without it." in told[0]
    assert "secret" not in told[0] + "".join(path.read_text() for path in Path(spec["out"]).glob("*.json*"))


def test_a_server_that_never_answers_holds_a_training_up_for_a_while_only(
    spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(tracking.URI, "http://127.0.0.1:1")
    monkeypatch.setattr(tracking, "PATIENCE_SECONDS", 0.1)
    began = time.monotonic()

    told = [line for line in run(spec) if "MLflow" in line]

    assert len(told) == 1
    assert time.monotonic() - began < 60


def test_an_mlflow_run_has_what_was_asked_and_what_came_of_it(spec: dict[str, Any], store: Any) -> None:
    assert not [line for line in run(spec) if "MLflow" in line]

    tracked = the_only_run(store)
    log = [json.loads(line) for line in (Path(spec["out"]) / "_log.jsonl").read_text().splitlines()]
    assert tracked.info.status == "FINISHED"
    assert tracked.info.run_name == "tiny_lora"
    assert tracked.data.tags["rc_pipeline.fingerprint"] == "f" * 64
    assert {name: tracked.data.params[name] for name in ("tune.rank", "rows.toy", "seed", "tune.learning_rate")} == {
        "tune.rank": "4", "rows.toy": "all", "seed": "3", "tune.learning_rate": "0.005",
    }  # fmt: skip
    assert curve(store, tracked, "loss") == pytest.approx({line["step"]: line["loss"] for line in log}, abs=1e-5)
    assert len(curve(store, tracked, "learning_rate")) == len(log)
    held_out = json.loads((Path(spec["out"]) / "training.json").read_text())["held_out_loss"]
    assert curve(store, tracked, "held_out_loss") == pytest.approx(dict(held_out), abs=1e-4)
    assert tracked.data.metrics["run.steps"] == len(log)


def test_tracking_changes_no_byte_of_what_is_trained(
    spec: dict[str, Any], store: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(spec)
    tracked = content(spec)
    monkeypatch.delenv(tracking.URI)
    alone = spec | {name: str(tmp_path / "alone" / name) for name in ("out", "scratch")}
    run(alone)

    assert content(alone) == tracked
    assert the_only_run(store).info.status == "FINISHED"


def test_a_training_that_diverges_is_a_failed_run(spec: dict[str, Any], store: Any) -> None:
    spec["tune"] |= {"learning_rate": 1e30, "warmup": 0.0}

    with pytest.raises(TrainingDiverged):
        run(spec)

    assert the_only_run(store).info.status == "FAILED"


def test_a_killed_training_goes_on_with_its_mlflow_run(spec: dict[str, Any], store: Any, tmp_path: Path) -> None:
    killed = """
import json, os, signal, sys, time
from rc_pipeline.training.run import train
from rc_pipeline.training import tracking
from rc_pipeline.worker import Progress
tracking.SECONDS_BETWEEN_BATCHES = 0.05

class Deadly(Progress):
    def __call__(self, done, total, **figures):
        if done == 5:
            while not os.path.exists(spec["scratch"] + "/mlflow_run.txt"):
                time.sleep(0.05)
            time.sleep(1)
            os.kill(os.getpid(), signal.SIGKILL)

spec = json.load(open(sys.argv[1]))
train(spec, Deadly("training"))
"""
    spec["checkpoint_steps"] = 2
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    assert subprocess.run([sys.executable, "-c", killed, str(tmp_path / "spec.json")]).returncode < 0
    assert the_only_run(store).info.status == "RUNNING"

    run(spec)

    tracked = the_only_run(store)
    assert tracked.info.status == "FINISHED"
    assert set(curve(store, tracked, "loss")) == {1, 2, 3, 4, 5, 6, 7, 8}
