"""Files of records, whatever they are written as: a JSON list, JSON lines, CSV, TSV or Parquet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rc_pipeline.corpora.csv_records import CheckHeader, csv_records, cut_off
from rc_pipeline.corpora.inventory import RawFile
from rc_pipeline.corpora.json_stream import list_elements
from rc_pipeline.corpora.readers import BadRow, CorpusError, Lines, Row, bad_utf8, buffered, refuse_what_is_not_text

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
PARQUET_MARK = b"PAR1"
START_BYTES = 512
BATCH_ROWS = 4096


def _any_header(header: list[str], path: str) -> None:
    """Take whatever a file calls its columns: the reader that asks for them says which it lacks."""


def read_records(file: RawFile, check_header: CheckHeader = _any_header) -> Iterator[Row | BadRow]:
    """Yield the records of a file as it has them; CSV and TSV give text, the others what they hold."""
    data = buffered(file.data)
    start = data.peek(START_BYTES)[:START_BYTES]
    if start.startswith(PARQUET_MARK):
        yield from _parquet(file)
        return
    refuse_what_is_not_text(start, str(file))
    first = start.removeprefix(BYTE_ORDER_MARK).lstrip()[:1]
    if first == b"[":
        for line, element in list_elements(data, str(file)):
            yield _record(element, file.name, line)
    elif first == b"{":
        yield from _json_lines(Lines(data, str(file)), file.name)
    else:
        tabs = any(name.removesuffix(".gz").endswith((".tsv", ".tab")) for name in (file.name, file.path.name))
        yield from csv_records(Lines(data, str(file)), file.name, check_header, delimiter="\t" if tabs else ",")


def _json_lines(lines: Lines, name: str) -> Iterator[Row | BadRow]:
    for text in lines:
        record = lines.take_record()
        if not text.strip():
            continue
        bad = bad_utf8(record, name)
        if bad:
            yield bad
            continue
        try:
            element = json.loads(text)
        except (ValueError, RecursionError) as error:
            if not record[0].ended:
                raise cut_off(lines.name, record[0]) from error
            if record[0].number == 1 and text.strip() in ("{", "{}"):
                raise CorpusError(
                    f"{lines.name}, line 1: a JSON object over several lines. Write one object a line, or a list."
                ) from error
            yield BadRow("bad_json", name, record[0].number, "the row", str(error), text)
            continue
        yield _record(element, name, record[0].number)


def _record(element: Any, name: str, line: int) -> Row | BadRow:
    if not isinstance(element, dict):
        return BadRow("not_an_object", name, line, "the row", str(element), element)
    return Row(element, name, line)


def _parquet(file: RawFile) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.packed:
        raise CorpusError(f"{file}: Parquet inside an archive cannot be read. Unpack it and name the folder instead.")
    line = 0
    try:
        # Bytes of a file that checks itself are checked.
        with pq.ParquetFile(file.path, pre_buffer=False, page_checksum_verification=True) as parquet:
            _require_distinct(parquet.schema_arrow.names, file)
            for batch in parquet.iter_batches(BATCH_ROWS):
                for record in batch.to_pylist():
                    line += 1
                    yield Row(record, file.name, line)
    except CorpusError:
        raise
    # Arrow tells damage in all of these ways; text that is no UTF-8 and dates beyond the calendar come up late.
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise CorpusError(
            f"{file}, row {line + 1} or after it: the Parquet file is damaged, or holds what is no text, number or "
            f"date ({' '.join(str(error).split())}). Download or copy it again, or write it anew."
        ) from error


def _require_distinct(columns: list[str], file: RawFile) -> None:
    twice = sorted(name for name, times in Counter(columns).items() if times > 1)
    if twice:
        raise CorpusError(f"{file}: two columns are called {', '.join(twice)}. Rename one of them.")
