"""A judge behind an address: asked once, in any order, and trusted with nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from endpoint_server import status

from rc_pipeline.endpoints.endpoint import EndpointFailed
from rc_pipeline.judging.asking import Judge, judge_at

KEY = "sk-very-secret-0123456789"


def judge(site, folder: Path, **more) -> Judge:
    return Judge(judge_at(site.url, more.pop("model", "m"), KEY), folder, **more)


def echo(handler) -> None:
    handler.complete(handler.site.asked[-1]["messages"][0]["content"].upper())


def test_replies_come_in_the_order_of_the_requests_and_equal_requests_are_one(site, tmp_path):
    site.answers = [lambda handler: handler.complete("yes")]
    assert judge(site, tmp_path).ask(["a", "b", "a", "c"]) == ["yes"] * 4
    assert sorted(one["messages"][0]["content"] for one in site.asked) == ["a", "b", "c"]
    site.answers = [echo]
    assert judge(site, tmp_path, at_once=1).ask(["d", "a", "e"]) == ["D", "yes", "E"]


def test_the_same_is_never_asked_twice_and_another_model_seed_or_address_is_not_the_same(site, tmp_path):
    site.answers = ["first", "second", "third"]
    assert judge(site, tmp_path).ask(["a"]) == ["first"]
    assert judge(site, tmp_path).ask(["a"]) == ["first"]
    assert judge(site, tmp_path, model="other").ask(["a"]) == ["second"]
    assert judge(site, tmp_path, seed=1).ask(["a"]) == ["third"]
    assert len(site.asked) == 3
    assert (site.asked[0]["temperature"], site.asked[0]["seed"]) == (0.0, 0)


def test_after_a_failure_what_was_answered_stays(site, tmp_path):
    site.answers = ["kept", status(401)]
    with pytest.raises(EndpointFailed, match=r"RC_API_KEY\n1 of 3 replies are kept") as failed:
        judge(site, tmp_path, at_once=1).ask(["a", "b", "c"])
    assert KEY not in str(failed.value)
    site.answers = ["later"]
    before = len(site.asked)
    assert judge(site, tmp_path, at_once=1).ask(["a", "b", "c"]) == ["kept", "later", "later"]
    assert len(site.asked) == before + 2


def test_a_damaged_reply_is_asked_for_again(site, tmp_path):
    site.answers = ["one", "two", "three"]
    for damage in (b"", b'{"reply": 3}'):
        said = judge(site, tmp_path).ask(["a"])
        for path in tmp_path.rglob("*.json"):
            path.write_bytes(damage)
    assert said == ["two"]
    assert judge(site, tmp_path).ask(["a"]) == ["three"]


def test_the_key_is_kept_nowhere_even_if_a_server_repeats_it(site, tmp_path):
    site.answers = [f"your key is {KEY}"]
    assert judge(site, tmp_path).ask(["a"]) == ["your key is ***"]
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*.json"))
    assert KEY.encode() not in kept


def test_half_a_character_does_no_harm(site, tmp_path):
    site.answers = [lambda handler: handler.answer(200, json.dumps(
        {"choices": [{"message": {"content": "\ud83d ok"}}]}).encode())]  # fmt: skip
    (reply,) = judge(site, tmp_path).ask(["a"])
    reply.encode()
