from __future__ import annotations

import unicodedata

import pytest

from rc_pipeline.tables.trivia_pages import alike_names

DECOMPOSED = unicodedata.normalize("NFD", "Zoë_Café.txt")


@pytest.mark.parametrize(
    ("cited", "stored", "how"),
    [
        ("Zoë_Café.txt", DECOMPOSED, "unicode_form"),
        (DECOMPOSED, "Zoë_Café.txt", "unicode_form"),
        ("ZOË_CAFÉ.txt", DECOMPOSED, "case"),
        ("McDonald.txt", "mcdonald.TXT", "case"),
        ("STRASSE.txt", "Straße.txt", "case"),
        ("Zoë.txt", "Zo%C3%AB.txt", "percent_encoding"),
        ("AC%2FDC.txt", "AC/DC.txt", "percent_encoding"),
        ("Who?.txt", "Who_.txt", "replaced_characters"),
        ('Who\'s_"Who":_A.txt', "Who's__Who___A.txt", "replaced_characters"),
        ("New York.txt ", "New_York.txt", "replaced_characters"),
    ],
)
def test_a_document_is_found_under_a_name_that_differs_and_how_it_does_is_told(
    cited: str, stored: str, how: str
) -> None:
    others = ["wikipedia/Other.txt", f"web/{stored}"]
    assert alike_names([f"wikipedia/{cited}"], [f"wikipedia/{stored}", *others]) == {
        f"wikipedia/{cited}": (f"wikipedia/{stored}", how)
    }


def test_a_name_that_fits_two_documents_is_never_guessed() -> None:
    known = ["web/Us.txt", "web/US.txt", "web/Who_.txt", "web/Who%3F.txt"]
    assert alike_names(["web/uS.txt", "web/Who*.txt", "web/Who?.txt"], known) == {
        "web/uS.txt": (None, "name_is_ambiguous"),
        "web/Who*.txt": (None, "name_is_ambiguous"),
        "web/Who?.txt": ("web/Who%3F.txt", "percent_encoding"),
    }


def test_a_name_of_nothing_in_the_archive_is_not_found() -> None:
    assert alike_names(["web/../../etc/passwd", "web/A.txt"], ["wikipedia/A.txt"]) == {
        "web/../../etc/passwd": (None, "not_in_archive"),
        "web/A.txt": (None, "not_in_archive"),
    }
