"""What a run says in a terminal: one line a fact, an error as its message, everything else in the UI."""

import logging
import os
import sys
from typing import TextIO

import dagster as dg

from rc_pipeline.xray.visible import lines_visible

BOOKKEEPING = ("Dependencies for step", "opened dagster pipes", "[pipes] did not receive closed message")


class OneLineEach(logging.Formatter):
    """`14:03:21  adapters/demo_tuned: built in 71.2 s` instead of Dagster's full prefix."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the time and what was said, or what went wrong."""
        details = getattr(record, "dagster_meta", None) or {}
        event = details.get("dagster_event")
        text = str(details.get("orig_message") or record.getMessage())
        if event is not None:
            text = _what_went_wrong(event) or text
        return f"{self.formatTime(record, '%H:%M:%S')}  {lines_visible(text)}"


class Said(logging.Filter):
    """Lets through what the project says and what went wrong, once, and not Dagster's bookkeeping."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a person at a terminal wants this line."""
        event = (getattr(record, "dagster_meta", None) or {}).get("dagster_event")
        text = record.getMessage()
        # A run's failure repeats that of the step which failed it, and so does every step that waited for one.
        repeats = event is not None and event.is_job_event and event.is_failure
        return not repeats and not any(words in text for words in BOOKKEEPING)


def _what_went_wrong(event: dg.DagsterEvent) -> str | None:
    """Return the message of a failure that explains itself, or the trace of one that does not."""
    if event.is_step_failure:
        failure = event.step_failure_data
        if failure.error is not None and failure.error.cls_name == "DagsterExecutionInterruptedError":
            return "STOPPED  what was built stands, and training goes on from its last checkpoint"
        if failure.user_failure_data is not None and failure.user_failure_data.description:
            return f"FAILED  {failure.user_failure_data.description}"
        return f"FAILED  {event.message}\n{failure.error_display_string}"
    error = getattr(event.event_specific_data, "error", None)
    if error is None:
        return None
    while error.cause is not None:
        error = error.cause
    return f"FAILED  {error.message.strip()}"


@dg.logger(
    config_schema={"log_level": dg.Field(str, is_required=False, default_value="INFO")},
    description="The terminal.",
)
def console_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """Return the logger that Dagster writes a run's messages to."""
    logger = logging.Logger("rc_pipeline", level=str(context.logger_config["log_level"]).upper())
    handler = logging.StreamHandler(_terminal())
    handler.setFormatter(OneLineEach())
    handler.addFilter(Said())
    logger.addHandler(handler)
    return logger


def _terminal() -> TextIO:
    """Return stderr as it is before a step: in it, Dagster passes stderr on through processes that Ctrl-C ends."""
    try:
        return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8")
    except (OSError, ValueError):
        return sys.stderr
