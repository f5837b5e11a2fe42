"""`dagster dev` over a copy of the project, and Chromium in front of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Locator, Page, expect, sync_playwright
from project_copy import BIN, ProjectCopy

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WINDOW = {"width": 1600, "height": 1000}
START_SECONDS = 120
PAGE_MILLISECONDS = 60_000
RUN_MILLISECONDS = 780_000


def browser() -> str | None:
    """Return the path of an installed Chromium, if there is one."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


@contextmanager
def serving(project: ProjectCopy) -> Iterator[str]:
    """Serve the UI on a free port and give its address; nothing of it is left afterwards."""
    address, log = f"127.0.0.1:{_free_port()}", project.folder / "ui.log"
    host, port = address.split(":")
    command = [str(BIN / "dagster"), "dev", "-w", "workspace.yaml", "-h", host, "-p", port]
    with log.open("w") as out:
        server = subprocess.Popen(
            command, cwd=project.folder, env=project.environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        _wait_for(f"http://{address}/server_info", server, log)
        yield f"http://{address}"
    finally:
        _stop(server)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=10).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"`dagster dev` did not answer within {START_SECONDS} s:\n{log.read_text()[-3000:]}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    os.killpg(server.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        server.wait(10)
    # Its code servers outlive it by a heartbeat.
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Ui:
    """The pages of the UI as a person goes through them."""

    def __init__(self, page: Page, address: str, pictures: Path | None) -> None:
        self.page, self.address, self.pictures = page, address, pictures
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("response", lambda answer: self._hear(answer.status, answer.url))
        page.on("requestfailed", lambda request: self._hear(0, request.url))

    def _hear(self, status: int, url: str) -> None:
        if url.startswith(("http:", "https:")) and (status >= 400 or not url.startswith(self.address)):
            self.faults.append(f"{status} {url}")

    def graph(self, selection: str = "", expanded: tuple[str, ...] = ()) -> None:
        """Open the global graph: of a selection, with the assets of some groups shown."""
        chosen = f"~{quote(selection, safe='')}/" if selection else ""
        groups = quote(",".join(f"global@global:{group}" for group in expanded), safe="")
        self.page.goto(f"{self.address}/asset-groups{chosen}?expanded={groups}")

    def job(self, name: str) -> None:
        """Open the page of a study's job."""
        self.page.goto(f"{self.address}/locations/rc_pipeline/jobs/{name}")

    def asset(self, key: str, view: str = "overview") -> None:
        """Open the page of an asset."""
        self.page.goto(f"{self.address}/assets/{key}?view={view}")

    def press(self, label: str) -> None:
        """Press the button with exactly this text; icons have names of their own."""
        self.page.get_by_role("button").filter(has_text=re.compile(f"^{label}$")).click()

    def launch(self, label: str) -> str:
        """Press a button that launches a run, follow it to success, and return the address of its page."""
        self.press(label)
        expect(self.page.get_by_text("Launched run")).to_be_visible()
        self.page.get_by_role("link", name="View", exact=True).click()
        ended = self.page.get_by_text(re.compile("^(Success|Failure|Canceled)$")).first
        expect(ended).to_be_visible(timeout=RUN_MILLISECONDS)
        expect(ended).to_have_text("Success")
        return self.page.url

    def steps(self) -> None:
        """On the page of a run, leave the lines that say what was built, and give more room to the bars above."""
        self.page.get_by_placeholder("Filter…").fill("built in")
        below = self.page.get_by_text("Events", exact=True).bounding_box()
        assert below
        self.page.mouse.move(900, below["y"] - 16)
        self.page.mouse.down()
        self.page.mouse.move(900, below["y"] + 284, steps=6)
        self.page.mouse.up()

    def metadata(self, name: str) -> Locator:
        """Return the row of an asset's metadata that has this name."""
        return self.page.get_by_role("row", name=re.compile(f"^{name} materialization "))

    def picture(self, name: str) -> None:
        """Write what the window shows as a picture of the docs, where one is asked for."""
        if self.pictures:
            self.page.wait_for_load_state("networkidle")
            self.page.screenshot(path=self.pictures / f"{name}.png", animations="disabled")


@contextmanager
def opened(address: str, executable: str, pictures: Path | None) -> Iterator[Ui]:
    """Open the browser, its navigation folded away; no request may fail or leave this machine."""
    expect.set_options(timeout=PAGE_MILLISECONDS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable)
        page = chromium.new_page(viewport=WINDOW)
        page.set_default_timeout(PAGE_MILLISECONDS)
        ui = Ui(page, address, pictures)
        page.goto(f"{address}/jobs")
        page.get_by_text("Hide navigation").click()
        yield ui
        chromium.close()
        assert not ui.faults, ui.faults
