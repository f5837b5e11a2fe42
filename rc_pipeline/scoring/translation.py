"""BLEU and chrF by sacrebleu: what each answer adds to the counts that the scores of a whole set are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

# Languages that put no space between words; sacrebleu's own choice for Japanese and Korean needs another program.
BY_CHARACTER = frozenset({"ja", "ko", "th", "lo", "km", "my", "bo"})
CHINESE = frozenset({"zh", "yue", "lzh"})


def bleu_tokens(language: str) -> str:
    """Return sacrebleu's name of the tokens that BLEU counts in a language."""
    code = language.lower().split("-")[0]
    return "zh" if code in CHINESE else "char" if code in BY_CHARACTER else "13a"


def judge(asked: pl.DataFrame, language: str) -> pl.DataFrame:
    """Return each answer's own chrF, and its counts for BLEU and chrF over the set."""
    import polars as pl

    said = asked["answer"].fill_null("").to_list()
    golds = [list(own) or [""] for own in asked["gold_answers"].to_list()]
    bleu, chrf = _bleu(bleu_tokens(language)), _chrf()
    return pl.DataFrame(
        {
            "sentence_chrf": [chrf.sentence_score(*pair).score / 100 for pair in zip(said, golds, strict=True)],
            "bleu_counts": _counts(bleu, said, golds),
            "chrf_counts": _counts(chrf, said, golds),
        },
        schema={
            "sentence_chrf": pl.Float64, "bleu_counts": pl.List(pl.Int64), "chrf_counts": pl.List(pl.Int64)
        },
    )  # fmt: skip


def bleu(sums: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return BLEU in percent of each row of summed counts."""
    return _of_sums(_bleu("none"), sums)


def chrf(sums: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return chrF in percent of each row of summed counts."""
    return _of_sums(_chrf(), sums)


def _bleu(tokens: str) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize=tokens, force=True)


def _chrf() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()


def _counts(metric: Any, said: list[str], golds: list[list[str]]) -> list[list[int]]:
    # The library's own bootstrap adds up these counts; it offers them under no public name.
    references = [list(of_each) for of_each in zip(*_equally_many(golds), strict=True)]
    return [list(map(int, own)) for own in metric._extract_corpus_statistics(said, references)]


def _equally_many(golds: list[list[str]]) -> list[list[str | None]]:
    most = max(map(len, golds))
    return [[*own, *[None] * (most - len(own))] for own in golds]


def _of_sums(metric: Any, sums: NDArray[np.int64]) -> NDArray[np.float64]:
    import numpy as np

    return np.array([metric._compute_score_from_stats(own).score for own in sums.tolist()])
