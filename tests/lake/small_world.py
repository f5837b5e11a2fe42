"""A small lineage of real files: numbers -> doubled -> total, with an odd one beside it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from rc_pipeline.lake.build import Lake, Work
from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.graph import Graph, Need, Node
from rc_pipeline.lake.outcome import Check, Outcome

CODE = ("rc_pipeline.lake.canonical",)


@dataclass
class World:
    """A lake whose source file and settings a test may edit."""

    root: Path
    source: Path
    factor: int = 2
    passes: bool = True
    built: list[str] = field(default_factory=list)
    during: Callable[[str, Work], None] = lambda key, work: None

    def lake(self) -> Lake:
        nodes = [
            Node("numbers/a", "numbers", files={"numbers.txt": self.source}, code=CODE),
            Node(
                "doubled/a", "doubled", settings={"factor": self.factor}, needs={"numbers": Need("numbers/a")},
                code=CODE, origins={"": "catalog/doubling.yaml"},
            ),
            Node("total/a", "total", needs={"doubled": Need("doubled/a", "even.parquet")}, code=CODE),
            Node("total/b", "total", needs={"doubled": Need("doubled/a", "even.parquet")}, code=CODE),
        ]  # fmt: skip
        return Lake(self.root, Graph(nodes))

    def build(self, work: Work) -> Outcome:
        self.built.append(work.key)
        self.during(work.key, work)
        stage = work.key.split("/")[0]
        if stage == "numbers":
            numbers = [int(line) for line in work.files["numbers.txt"].read_text().split()]
            write_parquet(pl.DataFrame({"n": sorted(numbers)}), work.out / "numbers.parquet")
            return Outcome(metadata={"rows": len(numbers)}, tables={"numbers": ["numbers.parquet"]})
        if stage == "doubled":
            numbers = pl.read_parquet(work.folder("numbers") / "numbers.parquet")["n"] * int(
                str(work.settings["factor"])
            )
            for name, keep in (("even", numbers % 4 == 0), ("odd", numbers % 4 != 0)):
                write_parquet(pl.DataFrame({"n": numbers.filter(keep)}), work.out / f"{name}.parquet")
            (work.out / "_seconds.txt").write_text(str(len(self.built)))
            return Outcome(checks=(Check("positive", self.passes),))
        total = int(pl.read_parquet(work.folder("doubled") / "even.parquet")["n"].sum() or 0)
        (work.out / "total.txt").write_text(str(total))
        return Outcome(metadata={"total": total})

    def run(self) -> list[str]:
        """Obtain everything in a new process's manner and return what was built."""
        self.built = []
        lake = self.lake()
        for key in lake.graph.nodes:
            lake.obtain(key, self.build)
        return self.built

    def total(self) -> int:
        return int((self.root / "heads" / "total" / "a" / "total.txt").read_text())


if __name__ == "__main__":
    there = World(Path(sys.argv[1]), Path(sys.argv[2]))

    def leave_a_trace(key: str, work: Work) -> None:
        (there.source.parent / f"{time.time_ns()}.{key[0]}").touch()
        time.sleep(0.1)

    there.during = leave_a_trace
    print("started", flush=True)
    there.run()
