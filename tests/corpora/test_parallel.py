from __future__ import annotations

import codecs
import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.corpora.parallel import Pairing, read_parallel
from rc_pipeline.corpora.readers import BadRow, CorpusError, Row
from tests.pace import within

ENGLISH = ["Good morning.", "How are you?", "The library opens at nine."]
CHINESE = ["早上好。", "你好吗？", "图书馆九点开门。"]
PAIRS = list(zip(ENGLISH, CHINESE, strict=True))
EN_ZH = {"source": "en", "target": "zh"}


def write(folder: Path, **files: str | bytes) -> dict[str, Path]:
    raw = {}
    for name, data in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        raw[path.name] = path
    return raw


def read(raw: dict[str, Path], languages: dict[str, str] = EN_ZH) -> dict[str, list[Row | BadRow]]:
    return {name: list(pairs) for name, pairs in read_parallel(raw, Pairing.of(languages))}


def texts(rows: list[Row | BadRow]) -> list[tuple[str, str]]:
    return [(row.fields["source"], row.fields["target"]) for row in rows if isinstance(row, Row)]


def lines(sentences: list[str], end: str = "\n") -> str:
    return "".join(sentence + end for sentence in sentences)


@pytest.mark.parametrize(("shorter", "counts"), [("en", (2, 3)), ("zh", (3, 2))])
def test_files_of_different_length_are_an_error_that_names_both_and_their_lines(
    tmp_path: Path, shorter: str, counts: tuple[int, int]
) -> None:
    sides = {"en": ENGLISH, "zh": CHINESE}
    sides[shorter] = sides[shorter][:2]
    raw = write(tmp_path, train__en=lines(sides["en"]), train__zh=lines(sides["zh"]))
    said = rf"train\.en has {counts[0]} lines and .*train\.zh has {counts[1]}: line by line"
    with pytest.raises(CorpusError, match=said):
        read(raw)


def test_an_empty_partner_is_a_difference_of_length_too(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"train\.en has 3 lines and .*train\.zh has 0"):
        read(write(tmp_path, train__en=lines(ENGLISH), train__zh=""))


def test_a_file_without_its_partner_is_an_error_that_names_the_partner(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"train\.en has no partner; train\.zh is expected beside it"):
        read(write(tmp_path, train__en=lines(ENGLISH), valid__en=lines(ENGLISH), valid__zh=lines(CHINESE)))


def test_two_files_of_one_side_are_an_error(tmp_path: Path) -> None:
    raw = write(tmp_path, train__en="a\n", train__en__txt="b\n", train__zh="一\n")
    with pytest.raises(CorpusError, match=r"train\.en holds the source lines of train already"):
        read(raw)


@pytest.mark.parametrize("name", ["train__fr", "train", "train__xml"])
def test_a_file_of_neither_language_is_an_error_that_says_what_is_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorpusError, match=r"two files of lines that end in \.en and \.zh"):
        read(write(tmp_path, **{name: lines(ENGLISH)}))


@pytest.mark.parametrize("name", ["train__en", "train__tsv", "train__csv", "train__jsonl", "train__parquet"])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<!DOCTYPE html>\n<html></html>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
        (codecs.BOM_UTF16_LE + "早上好\t\n".encode("utf-16-le"), "UTF-16 text; save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_text_is_an_error_that_says_what_it_is(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    raw = write(tmp_path, **{name: data}, **({"train__zh": "x\n"} if name.endswith("en") else {}))
    with pytest.raises(CorpusError, match=said):
        read(raw)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("train__csv", "english sentence,chinese\nHi,你好\n", "Name the two columns source,target or en,zh"),
        ("train__json", json.dumps([{"en": "Hi", "zh": "你好"}])[:-4], "ends in the middle"),
        ("train__jsonl", '{"en": "Hi", "zh": "你好"}\n{"en": "H', "line 2: the file ends in the middle"),
        ("train__parquet", b"PAR1 and no more", "damaged"),
    ],
)
def test_a_file_that_is_no_whole_table_of_pairs_is_an_error(
    tmp_path: Path, name: str, data: str | bytes, said: str
) -> None:
    with pytest.raises(CorpusError, match=said):
        read(write(tmp_path, **{name: data}))


def test_gbk_lines_are_set_aside_by_byte_and_the_remedy_is_utf8(tmp_path: Path) -> None:
    raw = write(tmp_path, train__en=lines(ENGLISH), train__zh=lines(CHINESE[:1]).encode() + "好\n\n".encode("gbk"))
    rows = read(raw)["train"]
    assert texts(rows[:1]) == PAIRS[:1]
    assert isinstance(rows[1], BadRow)
    assert (rows[1].file, rows[1].line, rows[1].reason) == ("train.zh", 2, "bad_utf8")
    assert "Save the file as UTF-8" in rows[1].describe()


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("", "", "blank_pair"),
        (" \t", "\u3000", "blank_pair"),
        ("Yes.", "是的。" * 100, "lengths_far_apart"),
        ("word " * 100, "字", "lengths_far_apart"),
    ],
)
def test_a_pair_that_says_nothing_or_cannot_be_a_translation_is_set_aside(
    tmp_path: Path, source: str, target: str, reason: str
) -> None:
    raw = write(tmp_path, train__en=lines(["Hi.", source, "Bye."]), train__zh=lines(["你好。", target, "再见。"]))
    first, bad, last = read(raw)["train"]
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.line) == (reason, 2)
    assert texts([first, last]) == [("Hi.", "你好。"), ("Bye.", "再见。")]


def test_short_texts_may_differ_in_length_and_long_ones_somewhat(tmp_path: Path) -> None:
    english = ["OK", "Thank you so much for everything that you have done for all of us here this year."]
    raw = write(tmp_path, train__en=lines(english), train__zh=lines(["没有问题，就照您说的办吧。", "多谢。"]))
    assert len(texts(read(raw)["train"])) == 2


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"en": "Hi", "fr": "Salut"}, "missing_field"),
        ({"translation": {"en": "Hi"}}, "missing_field"),
        ({"en": "Hi", "zh": None}, "not_text"),
        ({"en": 5, "zh": "五"}, "not_text"),
        ({"en": "\ud800", "zh": "五"}, "bad_utf8"),
        ({"translation": ["Hi", "你好"]}, "missing_field"),
        ("text", "not_an_object"),
    ],
)
def test_a_record_that_is_no_pair_is_set_aside(tmp_path: Path, record: Any, reason: str) -> None:
    good = {"en": "Hi", "zh": "你好"}
    for name, data in {
        "train__json": json.dumps([good, record, good]),
        "train__jsonl": "\n".join(json.dumps(one) for one in (good, record, good)),
    }.items():
        ((_, bad, _),) = read(write(tmp_path, **{name: data})).values()
        assert isinstance(bad, BadRow)
        assert bad.reason == reason


def test_a_tab_too_many_or_none_costs_its_row(tmp_path: Path) -> None:
    raw = write(tmp_path, train__tsv="Hi\t你好\nHi there\nHi\t你好\tx\nBye\t再见\n")
    rows = read(raw)["train.tsv"]
    assert [row.reason for row in rows if isinstance(row, BadRow)] == ["short_row", "long_row"]
    assert texts(rows) == [("Hi", "你好"), ("Bye", "再见")]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("names", [("train__en", "train__zh"), ("train__EN__txt", "train__zh__txt")])
def test_two_files_of_lines_become_pairs_with_the_place_in_the_first(
    tmp_path: Path, end: str, names: tuple[str, str]
) -> None:
    raw = write(
        tmp_path, **{names[0]: codecs.BOM_UTF8 + lines(ENGLISH, end).encode(), names[1]: lines(CHINESE, end).rstrip()}
    )
    (rows,) = read(raw).values()
    assert texts(rows) == PAIRS
    assert [(row.file, row.line) for row in rows] == [(names[0].replace("__", "."), line) for line in (1, 2, 3)]
    assert isinstance(rows[0], Row)
    assert rows[0].fields == {
        "source": ENGLISH[0], "target": CHINESE[0], "source_language": "en", "target_language": "zh",
        "source_name": "English", "target_name": "Chinese", "source_name_zh": "英语", "target_name_zh": "中文",
    }  # fmt: skip


def test_line_separators_inside_a_sentence_are_no_line_ends(tmp_path: Path) -> None:
    raw = write(tmp_path, train__en="one\u2028still one\x0cand\rthis\ntwo\n", train__zh="一\u0085还是一\n二\n")
    assert texts(read(raw)["train"]) == [("one\u2028still one\x0cand\rthis", "一\u0085还是一"), ("two", "二")]


@pytest.mark.parametrize("order", [("news.en", "news.zh"), ("news.zh", "news.en")])
@pytest.mark.parametrize("packed", ["folder", "train.tar", "train.tar.gz"])
def test_a_folder_and_an_archive_hold_pairs_in_any_order(tmp_path: Path, order: tuple[str, str], packed: str) -> None:
    held = {"news.en": lines(ENGLISH), "news.zh": lines(CHINESE), "more.tsv": "Hi\t你好\n"}
    if packed == "folder":
        path, entry = tmp_path / "train", "train"
        path.mkdir()
        write(path, **{name.replace(".", "__"): data for name, data in held.items()})
    else:
        path, entry = tmp_path / packed, packed
        with tarfile.open(path, "w:gz" if packed.endswith("gz") else "w") as tar:
            for name in (*order, "more.tsv"):
                data = held[name].encode()
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    found = read({entry: path})
    assert {name: texts(rows) for name, rows in found.items()} == {
        "train/more.tsv": [("Hi", "你好")],
        "train/news": PAIRS,
    }


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("train__tsv", "\n".join("\t".join(pair) for pair in PAIRS)),
        ("train__txt", "\n".join("\t".join(pair) for pair in PAIRS)),
        ("train__tab", "source\ttarget\n" + "\n".join("\t".join(pair) for pair in PAIRS)),
        ("train__tsv", "ZH\tscore\tEN\n" + "\n".join(f"{zh}\t1\t{en}" for en, zh in PAIRS)),
        ("train__tsv", "English\tChinese\n" + "\n".join("\t".join(pair) for pair in PAIRS)),
        ("train__csv", "英语,中文\n" + "\n".join(",".join(pair) for pair in PAIRS)),
        ("train__json", json.dumps([{"source": en, "target": zh, "en": "not this"} for en, zh in PAIRS])),
        ("train__json", json.dumps([{"source": "a web page", "en": en, "zh": zh} for en, zh in PAIRS])),
        ("train__jsonl", "\n".join(json.dumps({"translation": {"en": en, "zh": zh}}) for en, zh in PAIRS)),
    ],
)
def test_pairs_in_one_file_are_found_by_the_names_of_their_columns(tmp_path: Path, name: str, data: str) -> None:
    (rows,) = read(write(tmp_path, **{name: data})).values()
    assert texts(rows) == PAIRS


@pytest.mark.parametrize("end", ["", "__txt"])
def test_files_of_lines_may_be_compressed(tmp_path: Path, end: str) -> None:
    sides = {f"train__en{end}__gz": lines(ENGLISH), f"train__zh{end}__gz": lines(CHINESE)}
    raw = write(tmp_path, **{name: gzip.compress(text.encode()) for name, text in sides.items()})
    assert texts(read(raw)["train"]) == PAIRS


def test_quotes_in_tab_separated_text_are_quotes(tmp_path: Path) -> None:
    raw = write(tmp_path, train__tsv='"Hi," he said.\t他说：“你好。”\n5" pipe\t五寸管\n')
    assert texts(read(raw)["train.tsv"]) == [('"Hi," he said.', "他说：“你好。”"), ('5" pipe', "五寸管")]


def test_parquet_with_a_column_of_translations_is_read(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    pl.DataFrame({"translation": [{"zh": zh, "en": en} for en, zh in PAIRS]}).write_parquet(path)
    assert texts(read({"train.parquet": path})["train.parquet"]) == PAIRS


def test_two_hundred_thousand_pairs_of_lines_are_read_within_two_seconds(tmp_path: Path) -> None:
    raw = write(tmp_path, train__en="A sentence of the usual length for a corpus.\n" * 200_000,
                train__zh="一个语料库里长度正常的句子。\n" * 200_000)  # fmt: skip
    with within(2):
        assert len(read(raw)["train"]) == 200_000
