"""Tables of TriviaQA RC: questions, accepted answers, cited pages and documents, from one pass over the archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from rc_pipeline.corpora.archives import Member, Names, archive_members
from rc_pipeline.corpora.trivia_qa import DOMAINS, SPLITS, document_of, split_of
from rc_pipeline.lake.frames import preview, write_parquet
from rc_pipeline.lake.outcome import JSON, Check, Outcome
from rc_pipeline.tables.evidence import EvidenceWriter
from rc_pipeline.tables.quarantine import Quarantine, TablesError
from rc_pipeline.tables.schemas import TRIVIA_PAGES
from rc_pipeline.tables.trivia_questions import split_rows

PARTS = ("questions", "answers", "pages")


def build_trivia_qa(dataset: str, raw: Mapping[str, Path], quarantine: Quarantine, out: Path) -> Outcome:
    """Write questions, answers, pages and documents of every split that the archives hold."""
    tables = _TriviaTables(dataset, quarantine, out)
    with EvidenceWriter(f"{dataset}_evidence", quarantine, out / "evidence") as evidence:
        for path in raw.values():
            for member in archive_members(path):
                document, split = document_of(member.name), split_of(member.name)
                if document is not None:
                    evidence.add(*document, member)
                elif split is not None:
                    tables.read(split, member)
                else:
                    tables.ignored += 1
    quarantine.refuse_too_many()
    tables.refuse_if_empty(", ".join(str(path) for path in raw.values()))
    tables.write_pages(evidence.names)
    quarantine.write(out)
    return tables.outcome(evidence)


class _TriviaTables:
    """The question tables of one dataset while its archives are read."""

    def __init__(self, dataset: str, quarantine: Quarantine, out: Path) -> None:
        self.dataset, self.quarantine, self.out = dataset, quarantine, out
        self.ignored = 0
        self._questions: dict[str, pl.DataFrame] = {}
        self._pages: dict[str, pl.DataFrame] = {}
        self._members: dict[str, str] = {}
        self._looked_up: Counter[str] = Counter()

    def read(self, split: str, member: Member) -> None:
        """Write questions and answers of a qa file; its pages wait until all documents are known."""
        if split in self._members:
            raise TablesError(
                f"{member.name}: split {split} of dataset {self.dataset} is also in {self._members[split]}. "
                "Keep one of the two."
            )
        self._members[split] = member.name
        rows = split_rows(self.dataset, split, member, self.quarantine)
        write_parquet(rows.questions, self.out / "questions" / f"{split}.parquet")
        write_parquet(rows.answers, self.out / "answers" / f"{split}.parquet")
        self._questions[split], self._pages[split] = rows.questions, rows.pages

    def refuse_if_empty(self, archives: str) -> None:
        """Raise if there is no question file at all, or one without questions."""
        if not self._members:
            raise TablesError(
                f"{archives}: there is no question file such as qa/wikipedia-train.json inside. "
                "Give the triviaqa-rc archive."
            )
        empty = [self._members[split] for split in SPLITS if split in self._members and not len(self._questions[split])]
        if empty:
            raise TablesError(
                f"{archives}: no questions in {', '.join(empty)} (dataset {self.dataset}). "
                "Restore the file in the archive, or leave it out."
            )

    def write_pages(self, names: Names) -> None:
        """Look up the document of every page and write the pages."""
        for split, pages in self._pages.items():
            found = [
                names.find(f"{domain}/{filename}")
                for domain, filename in pages.select("domain", "filename").iter_rows()
            ]
            frame = pages.with_columns(evidence_id=pl.Series(found, dtype=pl.String)).drop("domain")
            exact = pl.concat_str(pages["domain"], pl.lit("/"), pages["filename"])
            self._looked_up["pages"] += frame.height
            self._looked_up["evidence_missing"] += frame["evidence_id"].null_count()
            self._looked_up["evidence_name_differs"] += frame.filter(pl.col("evidence_id") != exact).height
            write_parquet(TRIVIA_PAGES.validate(frame, lazy=True), self.out / "pages" / f"{split}.parquet")

    def outcome(self, evidence: EvidenceWriter) -> Outcome:
        """Return the figures, the verdicts and the views of what was written."""
        splits = [split for split in SPLITS if split in self._questions]
        metadata: dict[str, JSON] = {f"rows of {split}": self._questions[split].height for split in splits}
        metadata |= {f"documents of {domain}": evidence.documents[domain] for domain in DOMAINS}
        metadata |= {f"pages: {name}": count for name, count in sorted(self._looked_up.items()) if name != "pages"}
        metadata |= {"pages": self._looked_up["pages"], "archive members ignored": self.ignored}
        metadata |= dict(sorted(evidence.repaired.items()))
        metadata |= self.quarantine.metadata()
        views = {f"{self.dataset}_{part}": [f"{part}/{split}.parquet" for split in splits] for part in PARTS}
        views[f"{self.dataset}_evidence"] = [f"evidence/{domain}.parquet" for domain in DOMAINS]
        quarantined = ["quarantine.parquet"]
        return Outcome(
            metadata=metadata | {"preview": preview(self._questions[splits[0]])},
            checks=(self.quarantine.check(), self._evidence_is_there(), self._splits_share_no_question()),
            tables=views | {"quarantine": quarantined, f"{self.dataset}_quarantine": quarantined},
        )

    def _evidence_is_there(self) -> Check:
        missing, pages = self._looked_up["evidence_missing"], self._looked_up["pages"]
        return Check(
            "every_cited_document_is_there",
            passed=not missing,
            blocking=False,
            description=f"{missing} of {pages} cited documents are not in the archive; their pages have no text.",
            metadata={"missing": missing, "pages": pages},
        )

    def _splits_share_no_question(self) -> Check:
        shared: dict[str, JSON] = {}
        for domain in DOMAINS:
            frames = [frame.select("split", "question") for split, frame in self._questions.items() if domain in split]
            if frames:
                splits = pl.concat(frames).group_by("question").agg(pl.col("split").n_unique())
                shared[domain] = splits.filter(pl.col("split") > 1).height
        return Check(
            "splits_share_no_question",
            passed=not any(shared.values()),
            blocking=False,
            description="No question stands in two splits of a domain.",
            metadata=shared,
        )
