"""Tables of TriviaQA RC: questions, accepted answers, cited pages and documents, from one pass over the archive."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rc_pipeline.corpora.archives import Member, members_of
from rc_pipeline.corpora.trivia_qa import DOMAINS, SPLITS, document_of, is_of_macos, split_of
from rc_pipeline.lake.frames import preview
from rc_pipeline.lake.outcome import JSON, Outcome
from rc_pipeline.tables.evidence import EvidenceWriter
from rc_pipeline.tables.quarantine import Quarantine, TablesError
from rc_pipeline.tables.trivia_checks import every_cited_document_is_there, foreign_keys_hold, splits_share_no_question
from rc_pipeline.tables.trivia_pages import write_pages
from rc_pipeline.tables.trivia_questions import SplitWriter

PARTS = ("questions", "answers", "pages")


def build_trivia_qa(dataset: str, raw: Mapping[str, Path], quarantine: Quarantine, out: Path) -> Outcome:
    """Write questions, answers, pages and documents of every split that the archives or folders hold."""
    tables = _TriviaTables(dataset, quarantine, out)
    with EvidenceWriter(f"{dataset}_evidence", quarantine, out / "evidence") as evidence:
        for path in raw.values():
            with members_of(path) as members:
                for member in members:
                    document, split = document_of(member.name), split_of(member.name)
                    if document is not None:
                        evidence.add(*document, member)
                    elif split is not None:
                        tables.read(split, member)
                    else:
                        tables.ignore(member)
    quarantine.refuse_too_many()
    tables.refuse_if_empty(", ".join(str(path) for path in raw.values()))
    looked_up = tables.write_pages(evidence)
    return tables.outcome(evidence, looked_up, quarantine.write(out))


class _TriviaTables:
    """The question tables of one dataset while its archives are read."""

    def __init__(self, dataset: str, quarantine: Quarantine, out: Path) -> None:
        self.dataset, self.quarantine, self.out = dataset, quarantine, out
        self._ignored: Counter[str] = Counter()
        self._splits: dict[str, SplitWriter] = {}
        self._members: dict[str, str] = {}

    def ignore(self, member: Member) -> None:
        """Count a member that is neither questions nor a document."""
        self._ignored["macOS ._ files ignored" if is_of_macos(member.name) else "archive members ignored"] += 1

    def read(self, split: str, member: Member) -> None:
        """Write questions and answers of a qa file; its pages wait until all documents are known."""
        if split in self._members:
            raise TablesError(
                f"{member.name}: split {split} of dataset {self.dataset} is also in {self._members[split]}. "
                "Keep one of the two."
            )
        self._members[split] = member.name
        self._splits[split] = SplitWriter(self.dataset, split, self.quarantine)
        self._splits[split].write(
            member,
            questions=self._path("questions", split),
            answers=self._path("answers", split),
            cited=self._path("cited", split),
        )

    def _path(self, part: str, split: str) -> Path:
        return self.out / part / f"{split}.parquet"

    def refuse_if_empty(self, archives: str) -> None:
        """Raise if there is no question file at all, or one without questions."""
        if not self._members:
            raise TablesError(
                f"{archives}: there is no question file such as qa/wikipedia-train.json inside. "
                "Give the triviaqa-rc archive."
            )
        empty = [self._members[split] for split, rows in self._splits.items() if not rows.questions]
        if empty:
            raise TablesError(
                f"{archives}: no questions in {', '.join(sorted(empty))} (dataset {self.dataset}). "
                "Restore the file in the archive, or leave it out."
            )

    def write_pages(self, evidence: EvidenceWriter) -> Counter[str]:
        """Look up the document of every page and write the pages; return how that went."""
        looked_up = write_pages({self._path("cited", s): self._path("pages", s) for s in self._splits}, evidence)
        shutil.rmtree(self.out / "cited")
        return looked_up

    def outcome(self, evidence: EvidenceWriter, looked_up: Counter[str], quarantined: dict[str, list[str]]) -> Outcome:
        """Return the figures, the verdicts and the views of what was written."""
        splits = [split for split in SPLITS if split in self._splits]
        metadata: dict[str, JSON] = {f"rows of {split}": self._splits[split].questions for split in splits}
        metadata |= {f"documents of {domain}": evidence.documents[domain] for domain in DOMAINS}
        for counted in (looked_up, self._ignored, evidence.repaired):
            metadata |= dict(sorted(counted.items()))
        metadata |= self.quarantine.metadata()
        views = {f"{self.dataset}_{part}": [f"{part}/{split}.parquet" for split in splits] for part in PARTS}
        views[f"{self.dataset}_evidence"] = [f"evidence/{domain}.parquet" for domain in DOMAINS]
        checks = (
            self.quarantine.check(),
            foreign_keys_hold(self.out, splits),
            every_cited_document_is_there(looked_up),
            splits_share_no_question(self.out, splits),
        )
        return Outcome(
            metadata=metadata | {"preview": preview(self._splits[splits[0]].first)},
            checks=checks,
            tables=views | quarantined,
        )
