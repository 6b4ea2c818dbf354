"""A real mesh behind a real Chromium: one of each for all tests of the page."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import pytest

from phantom import PhantomSettings, write
from pulsemesh.embedded import EmbeddedMesh

SHARED = Path(__file__).parents[2] / ".." / "shared"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE_S = 120.0
HEART_RATE = 72.0
TOKEN = secrets.token_urlsafe(16)
DESKTOP, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program; the tests are skipped where there is none."""
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    named = os.environ.get("PULSEMESH_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium, or name one in PULSEMESH_CHROMIUM")
    return found


@pytest.fixture(scope="session")
def mesh(chromium: str) -> Iterator[EmbeddedMesh]:
    """A mesh whose gateway wants a token, so that every request of the page must carry it."""
    environment = {"PULSEMESH_API_TOKEN_SHA256": hashlib.sha256(TOKEN.encode()).hexdigest()}
    with EmbeddedMesh(environment=environment) as running:
        yield running


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small clips: `pulse.mp4` with a pulse of 72, `lamp.mp4` without one, `broken.mp4` that is none; `camera.y4m`."""
    folder = tmp_path_factory.mktemp("clips")
    write(PhantomSettings(seconds=10, width=320, height=240, heart_rate=HEART_RATE), folder / "pulse.mp4")
    write(PhantomSettings(seconds=6, width=160, height=120, scene="lamp"), folder / "lamp.mp4")
    (folder / "broken.mp4").write_bytes(b"this is no clip at all" * 100)
    return folder


@pytest.fixture(scope="session")
def camera_file(clips: Path) -> Path:
    """What the fake camera sees, again and again: 20 s hold whole beats, so that the pulse has no seam.

    20 frames a second, because a camera that cannot keep up with its file goes slower, and so does the pulse.
    """
    seen = clips / "camera.mp4"
    write(PhantomSettings(seconds=20, fps=20, width=320, height=240, heart_rate=HEART_RATE, amplitude=0.02), seen)
    target = clips / "camera.y4m"
    with av.open(str(seen)) as clip, target.open("wb") as file:
        file.write(b"YUV4MPEG2 W320 H240 F20:1 Ip A1:1 C420jpeg\n")
        for frame in clip.decode(video=0):
            file.write(b"FRAME\n" + frame.to_ndarray().tobytes())
    return target


def until(wanted: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    """Wait until `wanted` gives something true, and give it. The page's policy forbids Playwright's own way."""
    end = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


@dataclass
class Visit:
    """One visit of the page.

    Attributes
    ----------
    page : playwright.sync_api.Page
    complaints : list of str
        Errors and warnings on the console, uncaught errors, and requests to other hosts.
    """

    page: Any
    url: str
    complaints: list[str] = field(default_factory=list)

    def until(self, script: str, seconds: float = PATIENCE_S) -> Any:
        """Wait until an expression is true in the page."""
        return until(lambda: self.page.evaluate(script), seconds)

    def text(self, selector: str) -> str:
        """What an element says."""
        return str(self.page.locator(selector).inner_text())

    def upload(self, clip: Path) -> None:
        """Choose a clip, as a person does, and wait until the gateway has it."""
        self.page.set_input_files("#file", clip)
        self.page.wait_for_selector(".sender", state="hidden")

    def run(self) -> None:
        """Press the button and wait for the end."""
        self.page.get_by_role("button", name="Find the pulse").or_(
            self.page.get_by_role("button", name="Run again")
        ).click()
        self.until("document.querySelector('#bench').getAttribute('aria-busy') === 'true'")
        self.until("document.querySelector('#bench').getAttribute('aria-busy') === 'false'")

    def rate(self) -> float:
        """The heart rate that is shown."""
        return float(self.page.locator(".heart .value").get_attribute("data-value"))


@pytest.fixture(scope="module")
def browser(chromium: str, camera_file: Path) -> Iterator[Any]:
    """A headless Chromium whose camera is a file.

    It ends with its module: Playwright keeps an event loop running in the main thread, beside which no test of another
    module could start its own.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={camera_file}",
            ],
        )
        yield running
        running.close()


@pytest.fixture
def visit(browser: Any, mesh: EmbeddedMesh) -> Iterator[Callable[..., Visit]]:
    """`visit(size, token=…, agreed=…)` opens the page; at the end the console must have stayed silent."""
    opened: list[tuple[Any, Visit]] = []

    def open(size: tuple[int, int] = DESKTOP, *, token: str | None = TOKEN, agreed: bool = True) -> Visit:
        phone = size == PHONE
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, has_touch=phone, is_mobile=phone, accept_downloads=True,
            reduced_motion="reduce",
        )  # fmt: skip
        context.set_default_timeout(1000 * PATIENCE_S)
        if token:
            context.add_init_script(f"sessionStorage.setItem('pulsemesh-token', '{token}')")
        if agreed:
            context.add_init_script("localStorage.setItem('pulsemesh-consent', '2026-01-01T00:00:00Z')")
        page = context.new_page()
        found = Visit(page, mesh.url)
        page.on("console", lambda said: said.type in ("error", "warning") and found.complaints.append(said.text))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.on("request", lambda asked: _same_host(asked.url, mesh.url) or found.complaints.append(asked.url))
        page.goto(mesh.url)
        opened.append((context, found))
        return found

    yield open
    for context, found in opened:
        complaints = list(found.complaints)
        context.close()
        assert complaints == []


def _same_host(url: str, own: str) -> bool:
    return url.startswith((own, own.replace("http:", "ws:"), "blob:", "data:"))


@pytest.fixture(scope="session")
def shared_clip() -> Callable[[str], Path]:
    """A function that finds a shared clip, or skips."""

    def find(name: str) -> Path:
        path = SHARED / "clips" / name
        if not path.exists():
            pytest.skip(f"the shared clip {name} is not here")
        return path

    return find
