"""The figures of a training in MLflow, where MLFLOW_TRACKING_URI (MLflow's own variable) says that there is one.

A thread does it, so that no training waits for a server; whatever goes wrong there is one line, and the training goes
on. What is trained does not depend on it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rc_pipeline.training.loop import Journal, Trainer
    from rc_pipeline.worker import Progress

URI, EXPERIMENT = "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"
SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
# Nobody is called but the server that the user names, and not for minutes where it does not answer.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
SECONDS_BETWEEN_BATCHES = 5.0
# How long a finished training waits for a slow server.
PATIENCE_SECONDS = 60.0
MOST_METRICS, MOST_PARAMS, LONGEST_PARAM = 1000, 100, 500
RUN_FILE = "mlflow_run.txt"

Point = tuple[str, float, int, int]


class Tracker:
    """Sends what a training reports to one MLflow run, which a resumed training goes on with."""

    def __init__(self, spec: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self.spec, self.say = spec, say
        self.points: SimpleQueue[Point] = SimpleQueue()
        self.ended = Event()
        self.status = "FAILED"
        self.problem: str | None = None
        self.thread = Thread(target=self._work, daemon=True)

    def watch(self, progress: Callable[..., None], rate: Callable[[int], float]) -> Callable[..., None]:
        """Return a progress that is told here too, with the learning rate of the step."""

        def told(done: int, total: int, **figures: float) -> None:
            progress(done, total, **figures)
            self.log(done, figures | {"learning_rate": rate(done - 1)})
            self._say_problem()

        return told

    def log(self, step: int, figures: Mapping[str, Any]) -> None:
        """Take down the numbers among some figures."""
        now = int(time.time() * 1000)
        for name, value in figures.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                self.points.put((name, float(value), now, step))

    def close(self) -> None:
        """Send what is left, and end the run."""
        self.ended.set()
        self.thread.join(PATIENCE_SECONDS)
        if self.thread.is_alive():
            self.problem = f"no answer for {PATIENCE_SECONDS:.0f} s"
        self._say_problem()

    def _say_problem(self) -> None:
        problem, self.problem = self.problem, None
        if problem is not None:
            self.say(f"MLflow at {without_secrets(os.environ[URI])}: {problem}. The training goes on without it.")

    def _work(self) -> None:
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        try:
            from mlflow.tracking import MlflowClient

            client = MlflowClient(tracking_uri=os.environ[URI])
            run = self._run(client)
            last = False
            while not last:
                last = self.ended.wait(SECONDS_BETWEEN_BATCHES)
                self._send(client, run)
            client.set_terminated(run, self.status)
        except Exception as error:  # whatever an installed MLflow and its server may raise
            text = without_secrets(f"{type(error).__name__}: {error}")
            self.problem = " ".join(text.split())[:300].rstrip(".")

    def _run(self, client: Any) -> str:
        """Return the run of this training: that of a process that was killed, or a new one."""
        from mlflow.entities import Param

        noted = Path(self.spec["scratch"]) / RUN_FILE
        with suppress(Exception):
            run = noted.read_text(encoding="utf-8")
            client.update_run(run, status="RUNNING")
            return run
        name = os.environ.get(EXPERIMENT) or "rc_pipeline"
        experiment = client.get_experiment_by_name(name)
        number = client.create_experiment(name) if experiment is None else experiment.experiment_id
        key, fingerprint = str(self.spec.get("key", "")), str(self.spec.get("fingerprint", ""))
        tags = {"rc_pipeline.key": key, "rc_pipeline.fingerprint": fingerprint}
        run = str(client.create_run(number, tags=tags, run_name=key.removeprefix("adapters/") or None).info.run_id)
        params = [Param(name, value[:LONGEST_PARAM]) for name, value in params_of(self.spec).items()]
        for start in range(0, len(params), MOST_PARAMS):
            client.log_batch(run, params=params[start : start + MOST_PARAMS])
        noted.write_text(run, encoding="utf-8")
        return run

    def _send(self, client: Any, run: str) -> None:
        from mlflow.entities import Metric

        waiting = []
        with suppress(Empty):
            while True:
                waiting.append(Metric(*self.points.get_nowait()))
        for start in range(0, len(waiting), MOST_METRICS):
            client.log_batch(run, metrics=waiting[start : start + MOST_METRICS])


def run_tracked(
    spec: Mapping[str, Any],
    trainer: Trainer,
    progress: Progress,
    figures: Callable[[Journal], Mapping[str, Any]],
) -> Journal:
    """Make the steps of a training, and tell MLflow of them where the user wants it."""
    with _tracked(spec, progress.note, leads=trainer.group.leads) as tracker:
        if tracker is None:
            return trainer.run(progress, progress.note)
        journal = trainer.run(tracker.watch(progress, trainer.schedule.rate), progress.note)
        for step, loss in journal.evaluations:
            tracker.log(step, {"held_out_loss": loss})
        tracker.log(len(journal.losses), {f"run.{name}": value for name, value in figures(journal).items()})
        return journal


@contextmanager
def _tracked(spec: Mapping[str, Any], say: Callable[[str], None], *, leads: bool) -> Iterator[Tracker | None]:
    """Track what happens inside: as finished, or as failed where it raises."""
    if not (leads and os.environ.get(URI)):
        yield None
        return
    if find_spec("mlflow") is None:
        say(f"{URI} is set, but MLflow is not installed: pip install mlflow-skinny. The training goes on without it.")
        yield None
        return
    tracker = Tracker(spec, say)
    tracker.thread.start()
    try:
        yield tracker
        tracker.status = "FINISHED"
    finally:
        tracker.close()


def params_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return what a training is told, as MLflow's flat parameters."""
    prompt, shots = spec.get("prompt") or {}, spec.get("shots") or {}
    params = {
        "base": spec["base"].get("name", spec["base"]["family"]),
        "family": spec["base"]["family"],
        "seed": spec["seed"],
        "context_tokens": spec["context_tokens"],
        "prompt": prompt.get("name"),
        "shots": shots.get("shots", 0),
        **{f"rows.{source['dataset']}": source["rows"] for source in spec["train"]},
        **{f"mixture.{name}": value for name, value in spec["mixture"].items()},
        **{f"tune.{name}": value for name, value in spec["tune"].items()},
    }
    return {name: "all" if name.startswith("rows.") and value is None else str(value) for name, value in params.items()}


def without_secrets(text: str) -> str:
    """Return a text without the credentials of a URI in it, nor those of MLflow's variables."""
    for name in SECRETS:
        if os.environ.get(name):
            text = text.replace(os.environ[name], "***")
    return re.sub(r"//\S*@", "//***@", text)
