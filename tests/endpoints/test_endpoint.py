"""An endpoint that is slow, broken or hostile costs a bounded time, and never learns or repeats what it should not."""

from __future__ import annotations

import ssl
import subprocess
import time

import pytest
from endpoint_server import cut_short, drip, endless, hang_up, serving, status

from rc_pipeline.endpoints.endpoint import Endpoint, EndpointFailed

KEY = "sk-very-secret-0123456789"


def ask(url: str, **more) -> str:
    waits = more.pop("waits", [])
    return Endpoint(url, "a-model", KEY, sleep=waits.append, **more).ask("Hello?", seed=7)


@pytest.mark.parametrize(
    "url",
    ["http://example.org/v1", "ftp://127.0.0.1/v1", "https://user:pw@example.org/v1", "https://example.org/v1?key=pw",
     "http://127.0.0.1.example.org/v1", "https://", "https://[::1", "http://127.0.0.1:99999999/v1"],
)  # fmt: skip
def test_an_address_that_others_can_read_along_with_or_that_holds_a_secret_is_refused(url):
    with pytest.raises(EndpointFailed) as refused:
        Endpoint(url, key=KEY)
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize("key", ["two words", "line\nend", "schlüssel", "tab\t"])
def test_a_key_that_could_break_out_of_its_header_is_refused_unseen(key):
    with pytest.raises(EndpointFailed, match="RC_API_KEY") as refused:
        Endpoint("https://example.org/v1", key=key)
    assert key not in str(refused.value)


def test_the_key_is_sent_as_a_header_and_shown_nowhere(site):
    site.answers = ["fine"]
    assert ask(site.url) == "fine"
    assert site.paths == ["/v1/chat/completions"]
    assert site.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert site.asked[0]["model"] == "a-model"
    assert KEY not in str(site.asked)
    endpoint = Endpoint(site.url, "m", KEY)
    assert KEY not in repr(endpoint) + endpoint.name


def test_what_may_pass_is_tried_again_and_the_server_says_when(site):
    waits: list[float] = []
    site.answers = [status(429, Retry_After="7"), status(503, Retry_After="999999999999"), hang_up, "at last"]
    assert ask(site.url, waits=waits) == "at last"
    assert waits[0] == 7
    assert all(0 < wait <= 60 for wait in waits)
    site.answers = [status(500), cut_short, status(200, b"<html>"), '{"not": "asked for"}']
    assert ask(site.url) == '{"not": "asked for"}'


@pytest.mark.parametrize(
    "answer", [status(500), cut_short, hang_up, status(200, b"{"), status(200, b'{"choices": []}'),
               status(200, b'{"choices": [{"message": {"content": null}}]}'), status(200, b"[" * 100_000)],
)  # fmt: skip
def test_what_stays_broken_is_one_message(site, answer):
    site.answers = [answer]
    with pytest.raises(EndpointFailed, match="no answer in 4 tries"):
        ask(site.url)
    assert len(site.asked) == 4


@pytest.mark.parametrize(("answer", "said"), [
    (status(401), "RC_API_KEY"), (status(404, b"no model \x1b[31m a-model, key " + KEY.encode()), "status 404"),
    (status(400, b"x" * 980 + KEY.encode()), "status 400"),
])  # fmt: skip
def test_what_no_try_cures_is_said_at_once_without_the_key_or_commands(site, answer, said):
    site.answers = [answer]
    with pytest.raises(EndpointFailed, match=said) as refused:
        ask(site.url)
    assert len(site.asked) == 1
    assert KEY[:8] not in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_a_key_follows_nobody_to_another_place(site):
    site.answers = [status(307, Location="https://user:x@evil.example/v1/chat/completions")]
    with pytest.raises(EndpointFailed, match=r"sends us on to evil\.example,"):
        ask(site.url)
    assert len(site.asked) == 1


def test_an_endless_body_is_not_read_to_its_end(site):
    site.answers = [endless]
    began = time.monotonic()
    with pytest.raises(EndpointFailed, match="longer than 1 MiB"):
        ask(site.url)
    assert time.monotonic() - began < 5


def test_a_server_that_drips_is_cut_off(site):
    site.answers = [drip]
    began = time.monotonic()
    with pytest.raises(EndpointFailed, match="nothing whole after"):
        ask(site.url, answer_seconds=0.3)
    assert time.monotonic() - began < 5


def test_nobody_there_is_one_message():
    with pytest.raises(EndpointFailed, match="ConnectionRefusedError"):
        ask("http://127.0.0.1:9/v1")


def test_a_certificate_that_nobody_vouches_for_is_not_tried_again(tmp_path):
    key, certificate = tmp_path / "key", tmp_path / "crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
         "/CN=127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(context) as site, pytest.raises(EndpointFailed, match="certificate is not to be trusted"):
        ask(site.url)
    assert site.asked == []
