"""What it costs to turn a TriviaQA archive into validated tables, beside a bare walk through the archive.

    python benchmarks/ingest_trivia.py [--megabytes 512] [--turns 5]

Makes an archive in the format of triviaqa-rc.tar.gz (documents of some 14 KB with a long tail, question
files with search results; `--megabytes` unpacked) in a temporary folder, then takes turns between

- bare: unpack the archive with each gzip reader that is installed and walk its members with `tarfile`;
- tables: `build_tables`, from the archive to validated Parquet;
- obtain: `Lake.obtain`, the same with the hash of the archive, content hashes, flush and publication;

each in a process of its own. Prints medians, speeds over the unpacked bytes, ratios to the fastest bare walk and
processor time (of all threads, which other programs on the machine disturb less); then the peak memory of
`tables` and `obtain` on an archive of an eighth of the size and on this one.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from trivia_archive import Made, write_archive

READERS = ("gzip", "isal", "isal_threaded", "rapidgzip")
INGEST = ("tables", "obtain")


def main() -> None:
    """Measure and print, or (with --child) be one measured process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=512, help="size of the archive, unpacked")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _child(arguments.child[0], Path(arguments.child[1]))
        return
    with tempfile.TemporaryDirectory(prefix="ingest_trivia") as folder:
        whole = Path(folder) / "whole.tar.gz"
        made = write_archive(whole, arguments.megabytes << 20)
        packed = whole.stat().st_size / 2**20
        print(f"archive: {made.size / 2**20:.0f} MB unpacked, {packed:.0f} MB packed, {made.documents} documents")
        _compare(whole, made, arguments.turns)
        part = Path(folder) / "part.tar.gz"
        write_archive(part, (arguments.megabytes << 20) // 8)
        for way in INGEST:
            small, large = (_measure(way, path)["peak_mb"] for path in (part, whole))
            print(f"{way:20} peak memory {small:5.0f} MB on an eighth, {large:5.0f} MB on the whole")


def _compare(archive: Path, made: Made, turns: int) -> None:
    ways = [f"bare {reader}" for reader in READERS if _opener(reader) is not None] + list(INGEST)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    peaks: dict[str, float] = dict.fromkeys(ways, 0.0)
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    evidence = 0.0
    for _ in range(turns):
        for way in ways:
            found = _measure(way, archive)
            seconds[way].append(found["seconds"])
            cpu[way].append(found["cpu"])
            peaks[way] = max(peaks[way], found["peak_mb"])
            evidence = max(evidence, found["evidence_bytes"])
    medians = {way: statistics.median(taken) for way, taken in seconds.items()}
    fastest = min(median for way, median in medians.items() if way.startswith("bare"))
    for way, median in medians.items():
        spread = f"{min(seconds[way]):.2f} to {max(seconds[way]):.2f}"
        speed = f"{made.size / 2**20 / median:6.0f} MB/s"
        print(
            f"{way:20} median {median:6.2f} s  ({spread})  {speed}  {median / fastest:5.2f} x bare  "
            f"cpu {statistics.median(cpu[way]):6.2f} s  peak {peaks[way]:5.0f} MB"
        )
    print(f"evidence on disk: {evidence / made.document_bytes:.0%} of its bytes in the archive")


def _measure(way: str, archive: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", way, str(archive)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way} failed:\n{done.stdout}{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _child(way: str, archive: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ingest_trivia", dir=archive.parent) as folder:
        run = _work(way, archive, Path(folder))
        started, worked = time.perf_counter(), time.process_time()
        run()
        seconds, cpu = time.perf_counter() - started, time.process_time() - worked
        evidence = sum(path.stat().st_size for path in Path(folder).glob("out/evidence/*.parquet"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": peak, "evidence_bytes": evidence}))


def _work(way: str, archive: Path, folder: Path) -> Callable[[], object]:
    if way.startswith("bare"):
        return lambda: _walk(archive, way.removeprefix("bare "))
    import rc_pipeline.tables.trivia_qa  # noqa: F401 - libraries load before the clock starts
    from rc_pipeline.lake.build import Lake, Work
    from rc_pipeline.lake.graph import Graph, Node
    from rc_pipeline.lake.outcome import Outcome
    from rc_pipeline.tables.build import build_tables

    raw = {"triviaqa-rc.tar.gz": archive}

    def build(out: Path) -> Outcome:
        return build_tables(dataset="trivia_qa", fmt="trivia_qa", raw=raw, tolerated=0.01, out=out)

    if way == "tables":
        return lambda: build(folder / "out")
    node = Node(key="tables/trivia_qa", stage="tables", settings={}, files=raw, code=("rc_pipeline.tables",))

    def work(given: Work) -> Outcome:
        return build(given.out)

    return lambda: Lake(folder / "lake", Graph([node])).obtain(node.key, work)


def _walk(archive: Path, reader: str) -> None:
    """Unpack an archive and visit its members, and do nothing with them."""
    opener = _opener(reader)
    if opener is None:
        raise SystemExit(f"{reader} is not installed")
    with opener(archive) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        while tar.next() is not None:
            tar.members = []  # type: ignore[attr-defined]


def _opener(reader: str) -> Callable[[Path], IO[bytes]] | None:
    """Return what opens a gzip file with one of the readers, if it is installed."""
    try:
        if reader == "isal":
            from isal import igzip

            return lambda path: igzip.open(path, "rb")
        if reader == "isal_threaded":
            from isal import igzip_threaded

            return lambda path: igzip_threaded.open(path, "rb", threads=1)
        if reader == "rapidgzip":
            import rapidgzip

            return lambda path: rapidgzip.open(str(path), parallelization=0)
    except ImportError:
        return None
    import gzip

    return lambda path: gzip.open(path, "rb")


if __name__ == "__main__":
    main()
