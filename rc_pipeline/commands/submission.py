"""`rc-pipeline submission`: a run's answers as a leaderboard takes them."""

from __future__ import annotations

from pathlib import Path

import click

from rc_pipeline.commands.entry import open_lake, reported, standing


@click.command()
@click.argument("run")
@click.argument("eval_set")
@click.option("--to", "out", type=click.Path(path_type=Path), required=True, help="Folder to write; not there yet.")
@click.option("--force", is_flag=True, help="Replace an earlier submission in the same folder.")
@reported
def submission(run: str, eval_set: str, out: Path, *, force: bool) -> None:
    """Write what RUN answered to EVAL_SET (<dataset>/<split>) for the benchmark's leaderboard."""
    from rc_pipeline.exporting.folder import refuse_to_replace
    from rc_pipeline.official.submission import Answers, write_submission

    out = out.absolute()
    refuse_to_replace(out, force=force)
    lineage, lake = open_lake()
    dataset, _, split = eval_set.partition("/")
    predicted = standing(lake, f"predictions/{run}/{eval_set}")
    answers = Answers(
        fmt=lineage.catalog.datasets[dataset].format,
        split=split,
        tables=standing(lake, f"tables/{dataset}").folder,
        instructions=standing(lake, f"instructions/{dataset}").folder / f"{split}.parquet",
        predictions=predicted.folder / "predictions.parquet",
    )
    provenance = {"run": run, "eval_set": eval_set, "predictions": predicted.manifest.fingerprint}
    for line in write_submission(answers, out, provenance, force=force):
        click.echo(line)
    click.echo(out)
