from __future__ import annotations

import pytest
from jinja2 import UndefinedError
from jinja2.sandbox import SecurityError

from rc_pipeline.instructions import sandbox
from rc_pipeline.instructions.sandbox import NullColumn, UnfitTemplate, compiled, names_of, render


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ a", "broken Jinja, line 1"),
        ("{{ a | nofilter }}", "No filter named 'nofilter'"),
        ("{% include 'x' %}", "takes in another template"),
        ("{% import 'x' as x %}", "takes in another template"),
        ("{% extends 'x' %}", "takes in another template"),
        ("{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}", "defines a macro"),
        ("{% for x in a recursive %}{{ loop(a) }}{% endfor %}", "loops more than 2 deep"),
        ("{% for x in a %}{% for y in a %}{% for z in a %}{% endfor %}{% endfor %}{% endfor %}", "more than 2 deep"),
    ],
)
def test_a_text_that_could_do_harm_is_no_template(text: str, said: str) -> None:
    with pytest.raises(UnfitTemplate, match=said):
        compiled(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ a.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ a.format(1) }}",
        "{{ a.center(1000000000) }}",
        "{{ a.zfill(1000000000) }}",
        "{{ 'x' * 1000000000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 9 ** 999 }}",
    ],
)
def test_python_and_endless_text_are_out_of_reach(text: str) -> None:
    with pytest.raises(SecurityError):
        render(compiled(text), {"a": "hey"})


@pytest.mark.parametrize("text", ["{{ range(9) }}", "{{ cycler('a') }}", "{{ lipsum() }}", "{{ b }}", "{{ a.b }}"])
def test_there_is_nothing_but_the_row(text: str) -> None:
    with pytest.raises(UndefinedError):
        render(compiled(text), {"a": "hey"})


@pytest.mark.parametrize("text", ["{{ a.upper }}", "{{ a | map('upper') }}", "{{ a | batch(2) }}"])
def test_a_thing_that_python_shows_by_its_place_in_memory_is_no_text(text: str) -> None:
    with pytest.raises(UnfitTemplate, match="and no text; call it, or add"):
        render(compiled(text), {"a": "hey"})


def test_a_null_is_not_shown_as_a_word() -> None:
    with pytest.raises(NullColumn):
        render(compiled("{{ a }}"), {"a": None})


def test_a_text_beyond_all_measure_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MOST_CHARACTERS", 100)
    with pytest.raises(SecurityError, match="longer than 100 characters"):
        render(compiled("{% for x in a %}{% for y in a %}yes{% endfor %}{% endfor %}"), {"a": "x" * 20})


def test_lists_small_numbers_and_filters_are_at_hand() -> None:
    text = (
        "{% for x in options %}{{ 'ABCD'[loop.index0] }}. {{ x | trim }}\n{% endfor %}{{ options[n - 1] }}{{ n * 2 }}"
    )
    assert names_of(text) == {"options", "n"}
    assert render(compiled(text), {"options": [" 是", "否"], "n": 1}) == "A. 是\nB. 否\n 是2"
