"""Scores of a whole set, each a function of sums over its questions: so a resample needs nothing but sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rc_pipeline.scoring.intervals import UNITS, in_units

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

# Log-probabilities of long texts are large, so they are counted in coarser units.
LOGPROB_UNITS = 1_000_000


class Measure(Protocol):
    """One score: its name, what each question adds to its sums, and what the sums come to."""

    @property
    def name(self) -> str:
        """The name of the metric."""
        ...

    def parts(self, questions: pl.DataFrame) -> NDArray[np.int64]:
        """Return a row of whole numbers for each question."""
        ...

    def values(self, sums: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the score of each row of sums; not a number where nothing counts."""
        ...

    def value(self, questions: pl.DataFrame) -> float:
        """Return the score of the questions, in their order."""
        ...

    def counted(self, questions: pl.DataFrame) -> int:
        """Return over how many questions the score is."""
        ...


@dataclass(frozen=True)
class Mean:
    """The mean of a column of values from 0 to 1, in percent; null is no value."""

    name: str

    def parts(self, questions: pl.DataFrame) -> NDArray[np.int64]:
        """Return value and count."""
        import numpy as np

        column = questions[self.name]
        return np.stack([in_units(column.fill_null(0.0).to_numpy()), column.is_not_null().to_numpy()], axis=1)

    def values(self, sums: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the means."""
        return 100.0 * sums[:, 0] / (sums[:, 1] * UNITS)

    def value(self, questions: pl.DataFrame) -> float:
        """Return the mean, added up in the order of the questions: official scorers do, and digits depend on it."""
        column = questions[self.name].drop_nulls()
        return 100.0 * float(column.cum_sum()[-1]) / len(column)

    def counted(self, questions: pl.DataFrame) -> int:
        """Return how many questions have a value."""
        return questions[self.name].count()


@dataclass(frozen=True)
class OfCounts:
    """A score of a set that is no mean, such as BLEU: a function of summed counts."""

    name: str
    column: str
    function: Callable[[NDArray[np.int64]], NDArray[np.float64]]

    def parts(self, questions: pl.DataFrame) -> NDArray[np.int64]:
        """Return the counts."""
        import numpy as np

        return np.array(questions[self.column].to_list(), dtype=np.int64)

    def values(self, sums: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the scores."""
        return self.function(sums)

    def value(self, questions: pl.DataFrame) -> float:
        """Return the score."""
        return float(self.function(self.parts(questions).sum(axis=0, keepdims=True))[0])

    def counted(self, questions: pl.DataFrame) -> int:
        """Return how many questions there are."""
        return len(questions)


@dataclass(frozen=True)
class Perplexity:
    """How surprised a model is by a token of the right answers: 1 is not at all, and it is no percentage."""

    name: str = "perplexity"

    def parts(self, questions: pl.DataFrame) -> NDArray[np.int64]:
        """Return log-probability and tokens."""
        import numpy as np

        known = questions.select("gold_logprob", "gold_tokens").fill_null(0)
        units = np.rint(known["gold_logprob"].to_numpy().astype(np.float64) * LOGPROB_UNITS).astype(np.int64)
        return np.stack([units, known["gold_tokens"].to_numpy()], axis=1)

    def values(self, sums: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the perplexities."""
        import numpy as np

        return np.exp(-sums[:, 0] / (sums[:, 1] * LOGPROB_UNITS))

    def value(self, questions: pl.DataFrame) -> float:
        """Return the perplexity."""
        return float(self.values(self.parts(questions).sum(axis=0, keepdims=True))[0])

    def counted(self, questions: pl.DataFrame) -> int:
        """Return how many questions have a log-probability."""
        return questions["gold_logprob"].count()
