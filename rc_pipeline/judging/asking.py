"""Requests to an endpoint, several at a time, each reply kept: what was answered once is never asked again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from rc_pipeline.endpoints.endpoint import Endpoint, EndpointFailed
from rc_pipeline.lake.canonical import sha256_json
from rc_pipeline.lake.durable import write_atomically

# Room to reason in, and yet less than the whole context of a small model.
JUDGE_TOKENS = 2048
SAID_EVERY = 100


def judge_at(url: str, model: str, key: str) -> Endpoint:
    """Return an endpoint that is asked for its one best reply."""
    return Endpoint(url, model, key, temperature=0.0, max_new_tokens=JUDGE_TOKENS)


@dataclass(frozen=True)
class Judge:
    """An endpoint and the folder in which its replies are kept."""

    endpoint: Endpoint
    cache: Path
    seed: int = 0
    at_once: int = 4
    say: Callable[[str], None] = lambda _: None

    def ask(self, requests: Sequence[str]) -> list[str]:
        """Return a reply to each request; raises EndpointFailed, after which the replies so far stay."""
        found: dict[str, str] = {}
        with ThreadPoolExecutor(self.at_once) as pool:
            waiting = {pool.submit(self._reply, request): request for request in dict.fromkeys(requests)}
            try:
                for done in as_completed(waiting):
                    found[waiting[done]] = done.result()
                    if len(found) % SAID_EVERY == 0:
                        self.say(f"{len(found)} of {len(waiting)} replies")
            except EndpointFailed as error:
                pool.shutdown(wait=False, cancel_futures=True)
                kept = f"{len(found)} of {len(waiting)} replies are kept; the same command goes on from there"
                raise EndpointFailed(f"{error}\n{kept}") from error
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [found[request] for request in requests]

    def _reply(self, request: str) -> str:
        one = self.endpoint
        asked = [one.url, one.model, one.temperature, one.max_new_tokens, self.seed, request]
        name = sha256_json(asked)
        path = self.cache / name[:2] / f"{name}.json"
        try:
            kept = json.loads(path.read_bytes())["reply"]
        except (OSError, ValueError, KeyError, TypeError):
            kept = None
        if isinstance(kept, str):
            return kept
        reply = one.ask(request, self.seed)
        # A server may repeat what it was sent, and JSON may hold half a character.
        reply = reply.replace(one.key, "***") if one.key else reply
        reply = reply.encode("utf-8", "replace").decode()
        write_atomically(path, json.dumps({"model": one.model, "reply": reply}).encode())
        return reply
