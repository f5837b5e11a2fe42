"""Proposals: what is kept is safe, whole and new; everything else is dropped for a reason that is counted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tasks import GOOD, OPTIONS, TASK, proposal, reply

from rc_pipeline.catalog.parsing import read_mapping
from rc_pipeline.catalog.tasks import TaskTemplate
from rc_pipeline.catalog.validation import Known
from rc_pipeline.endpoints.endpoint import Endpoint
from rc_pipeline.proposing.answers import candidates
from rc_pipeline.proposing.asking import RequestTooLong
from rc_pipeline.proposing.judging import Dropped, judged
from rc_pipeline.proposing.likeness import likeness, words
from rc_pipeline.proposing.propose import propose
from rc_pipeline.proposing.writing import as_yaml, write_templates
from tests.pace import within

KEY = "sk-very-secret-0123456789"


def why(candidate, task=TASK, kept=None):
    with pytest.raises(Dropped) as dropped:
        judged(candidate, task, kept or {}, KEY)
    return dropped.value.reason


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ context.__class__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}", "{{ [].append(1) }}",
        "{{ context|attr('__class__') }}",
        "{% for a in range(10**9) %}x{% endfor %}", "{% for a in context recursive %}{{ loop(context) }}{% endfor %}",
        "{% for a in context %}{% for b in context %}{% for c in context %}x{% endfor %}{% endfor %}{% endfor %}",
        "{{ context * 1000000000 }}", "{{ 10 ** 10 ** 10 }}", "{{ '%1000000000s' % context }}",
        "{{ context|center(10**9) }}",
        "{% include '/etc/passwd' %}", "{% import 'os' as os %}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set x = context %}", "{{ context", "{% raw %}", "{{ lipsum }}()", "{{ context|replace('', context) }}",
        "{{ choices[0].format(context) }}", "\x1b]0;title\x07", "hidden \u202e turn", "nul \x00",
        "{{ ('a' ~ context)[::-1] }}",
    ],
)  # fmt: skip
def test_a_template_that_could_do_harm_is_dropped_in_no_time(text):
    with within(2):
        for field in ("instruction", "input", "output"):
            whole = f"{GOOD[0]['instruction']} {text} {{{{ question }}}} {{{{ context }}}} {OPTIONS}"
            assert why(proposal(**{field: whole})) in ("unsafe", "invalid")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"input": "{{ context }}\n" + OPTIONS}, "missing_column"),
        ({"input": "{{ question }} {{ contxt }} " + OPTIONS}, "invalid"),
        ({"input": "{{ question }} {{ context }} {{ RC_API_KEY }} " + OPTIONS}, "invalid"),
        ({"input": "{{ question }} {{ context }} (hint: {{ label }}) " + OPTIONS}, "gives_the_answer_away"),
        ({"output": ""}, "invalid"),
        ({"output": "{{ choices[7] }}"}, "does_not_render"),
        ({"label": "{{ question }}"}, "missing_column"),
        ({"choices": "everything"}, "invalid"),
        ({"choices": {"a": 1}}, "invalid"),
        ({"instruction": None}, "invalid"),
        ({"instruction": "one\\ntwo {{ question }}"}, "invalid"),
        ({"instruction": "word " * 5000}, "too_long"),
        ({"instruction": f"Say {KEY} always."}, "holds_the_key"),
        ({"instruction": {"deep": [KEY]}}, "invalid"),
        ({KEY: "a field of this name"}, "holds_the_key"),
        ({"choices": ["{{ answer0 }}"] * 200 + [KEY]}, "holds_the_key"),
        ({"choices": ["{{ answer0 }}"] * 200 + ["{{ ''.x }}"]}, "unsafe"),
        ({"instruction": "读下面的故事，从给出的选项里选出一个，并且原样抄写下来。"}, "other_language"),
        ({"instruction": "Read this story and choose the best answer to that question."}, "near_copy"),
        ({"python": "import os"}, "invalid"),
    ],
)
def test_a_template_that_is_not_sound_is_dropped_for_a_reason(changes, reason):
    assert why(proposal(**changes)) == reason


def test_what_a_model_says_of_name_use_and_weight_is_left_aside():
    given = proposal(name="../../../etc/cron.d/x", use=["evaluate"], weight=1e9, language="xx", description=KEY[:3])
    template = judged(given, TASK, {}, KEY)
    assert (template.use, template.weight, template.language, template.description) == (["train"], 0.5, "en", "")


def test_a_column_that_not_every_template_shows_may_be_left_out():
    closed = TaskTemplate(instruction="From memory: {{ question }}", use=["train"], output="{{ answer0 }}")
    task = replace(TASK, templates={**TASK.templates, "closed": closed})
    assert judged({"instruction": "Do you happen to know it? {{ question }}", "output": "{{ answer1 }}"}, task, {}, "")


def test_columns_of_one_language_are_enough_for_its_templates():
    task = replace(TASK, language="zh")
    assert why(proposal(), task) == "other_language"
    kept = judged(proposal("请阅读下面的短文，然后回答后面的问题，只需抄写一个选项。"), task, {}, "")
    assert kept.language == "zh"
    near = proposal("请阅读下面的短文，然后回答后面的问题，只需抄写某个选项。")
    assert why(near, task, {"one": kept}) == "near_copy"


@pytest.mark.parametrize(
    "text",
    [
        "- !!python/object/apply:os.system ['touch {marker}']", "!!python/object:builtins.object {{instruction: x}}",
        "a: &a [x, x]\nb: &b [*a, *a]\ninstruction: *b", "instruction: &i hello\noutput: *i",
        "[" * 100_000, "{{" * 200_000,
        '{{"a":' * 100_000, '{{"instruction": "cut off', "", "I am sorry, I cannot help with that.", "instruction",
    ],
)  # fmt: skip
def test_an_answer_without_a_whole_plain_template_is_none_and_runs_nothing(text, tmp_path):
    marker = tmp_path / "marker"
    with within(5):
        assert candidates(text.format(marker=marker)) == []
    assert not marker.exists()


def test_templates_are_found_in_json_wherever_it_stands_even_when_the_list_was_cut_off():
    whole = json.dumps({"templates": GOOD})
    assert candidates(whole) == GOOD
    assert candidates(f"Sure {{thing}}!\n{whole[: whole.rindex('Exam time')]}") == GOOD[:2]
    assert candidates("\n".join(json.dumps(one) for one in GOOD)) == GOOD


def test_templates_are_found_in_yaml():
    # Plain copies, which share no list: YAML would write aliases.
    plain = [json.loads(json.dumps(one)) for one in GOOD[:2]]
    first, second = map(yaml.safe_dump, plain)
    assert candidates(yaml.safe_dump(plain)) == plain
    assert candidates(f"Here:\n```yaml\n{first}```\nand\n```yaml\n{second}```") == plain


def test_good_answers_become_files_that_the_catalog_reads_back(site, task, tmp_path):
    site.answers = [reply(GOOD[0], GOOD[0]), "nothing", reply(*GOOD[1:], proposal(input="no column"))]
    found = propose(task, Endpoint(site.url, "big", KEY), count=3, seed=1, secret=KEY)
    assert [reason for reason, _ in found.dropped] == ["near_copy", "unreadable"]
    (tmp_path / "proposed_02.yaml").write_text("mine")
    files = write_templates(list(found.kept.values()), tmp_path, "big at 127.0.0.1")
    assert [path.name for path in files] == ["proposed_01.yaml", "proposed_03.yaml", "proposed_04.yaml"]
    assert (tmp_path / "proposed_02.yaml").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"proposed_0{n}.yaml" for n in (1, 2, 3, 4)]
    for path, template in zip(files, found.kept.values(), strict=True):
        read = TaskTemplate.model_validate(read_mapping(path, path.name), context=Known(columns=task.columns))
        assert read.use == ["train"]
        assert read.description == "Proposed by big at 127.0.0.1; not reviewed yet."
        assert read.model_copy(update={"description": ""}) == template


def test_what_is_shown_is_templates_and_columns_and_never_a_row(site, task):
    site.answers = [reply(*GOOD)]
    propose(task, Endpoint(site.url), count=3, seed=1)
    (message,) = site.asked[0]["messages"]
    assert "Read the story and choose" in message["content"]
    assert "context, question, answer0" in message["content"]
    assert "loaves" not in message["content"]
    assert site.asked[0]["seed"] == 1


def test_answers_that_bring_nothing_end_the_asking(site, task):
    site.answers = ["no", reply(GOOD[0]), "no"]
    found = propose(task, Endpoint(site.url), count=5, seed=0)
    assert len(found.kept) == 1
    assert len(site.asked) == 5
    assert found.failure == ""


def test_an_endpoint_that_fails_later_leaves_what_was_kept_and_says_so(site, task):
    from endpoint_server import status

    site.answers = [reply(GOOD[0]), status(401)]
    found = propose(task, Endpoint(site.url), count=5, seed=0)
    assert len(found.kept) == 1
    assert "status 401" in found.failure
    with pytest.raises(ValueError, match="status 401"):
        propose(task, Endpoint(site.url), count=5, seed=0)


def test_fewer_templates_are_shown_to_a_model_that_reads_little(task):
    shown = []

    class Small:
        name = "small"

        def ask(self, request: str, seed: int) -> str:
            shown.append(request.count('{"instruction"'))
            if shown[-1] > 1:
                raise RequestTooLong("too long")
            return reply(*GOOD)

    assert len(propose(task, Small(), count=3, seed=0).kept) == 3
    assert shown == [2, 1]


def test_a_local_model_writes_on_and_the_same_seed_writes_the_same():
    from rc_pipeline.lake.code import PROJECT
    from rc_pipeline.proposing.local import LocalModel

    folder = PROJECT / "rc_pipeline" / "models" / "rc_tiny"
    prompt = json.loads((PROJECT / "catalog" / "prompts" / "brief.json").read_text()) | {"name": "brief"}
    model = LocalModel("rc_tiny", folder, family="llama", prompt=prompt, context_tokens=96)
    one, again, other = (model.ask("Read the story .", seed) for seed in (3, 3, 4))
    assert one == again != other
    with pytest.raises(RequestTooLong, match="rc_tiny reads 96 tokens"):
        model.ask("Read the story . " * 50, 1)


def test_a_local_model_with_an_encoder_answers_with_a_text_of_its_own(tmp_path):
    from rc_pipeline.lake.code import PROJECT
    from rc_pipeline.proposing.local import LocalModel
    from tests.models.upstream import write_flan_t5

    folder = write_flan_t5(tmp_path / "flan").folder
    prompt = json.loads((PROJECT / "catalog" / "prompts" / "brief.json").read_text()) | {"name": "brief"}
    model = LocalModel("flan", folder, family="t5", prompt=prompt, context_tokens=200)
    one, again = (model.ask("Read the story .", 3) for _ in range(2))
    # Random weights write on until they are stopped, and hardly ever what they read.
    assert one == again != ""
    assert "story" not in one


@given(st.lists(st.sampled_from("abcde"), max_size=30), st.lists(st.sampled_from("abcde"), max_size=30))
def test_likeness_is_rouge_l(one, other):
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, left in enumerate(one):
        for j, right in enumerate(other):
            table[i + 1][j + 1] = table[i][j] + 1 if left == right else max(table[i][j + 1], table[i + 1][j])
    expected = 2 * table[-1][-1] / (len(one) + len(other)) if one and other else float(one == other)
    assert likeness(one, other) == pytest.approx(expected)


def test_words_are_words_and_chinese_characters_without_placeholders():
    assert words("Read {{ context }}, 阅读 it's {% if a %}B{% endif %}") == ["read", "阅", "读", "it", "s", "b"]


@pytest.mark.parametrize(
    "text", ["yes", "no", "null", "012", "1:30", "- a", "# b", " lead", "trail ", "a\n\n b \nc\n", "'q'", "你：好"]
)
def test_texts_that_yaml_could_misread_are_written_so_that_it_does_not(text, tmp_path):
    template = TaskTemplate(instruction=text, output="{{ x }}", use=["train"], weight=0.5)
    (file,) = write_templates([template], tmp_path, "x: y # z")
    assert read_mapping(file, "f")["instruction"] == text
    assert as_yaml(template, "x").startswith("description:")
