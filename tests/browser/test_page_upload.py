"""A clip from a file: sent, skin clicked, run, watched, run again, erased; and what goes wrong on the way."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.browser

PLAYS = "[...document.querySelectorAll('.pane video')].map((video) => [video.currentTime, video.paused])"


def reused(page: Any) -> dict[str, bool]:
    """Of each stage that is shown, whether it was reused."""
    return dict(
        page.evaluate(
            "[...document.querySelectorAll('.stages li')].map((e) => [e.dataset.stage, e.classList.contains('reused')])"
        )
    )


def test_the_clip_is_shown_before_the_rest_is_there(visit: Any, clips: Path) -> None:
    seen = visit()
    page = seen.page
    held: list[Any] = []
    page.route("**/v1/jobs/*/result", lambda route: held.append(route))  # the end of the job is not answered yet
    seen.upload(clips / "pulse.mp4")
    page.get_by_role("button", name="Find the pulse").click()
    seen.until("document.querySelector('.magnified')?.duration > 9")
    assert page.locator(".files").is_hidden()
    source = page.evaluate("document.querySelector('.magnified').src")
    while not held:
        page.wait_for_timeout(50)
    held[0].continue_()
    page.wait_for_selector(".files:not([hidden])")
    assert page.evaluate("document.querySelector('.magnified').src") == source, "it goes on playing"


def test_from_a_file_to_the_pulse_and_back_to_nothing(visit: Any, clips: Path) -> None:
    seen = visit()
    page = seen.page
    seen.upload(clips / "pulse.mp4")
    # a click on the skin is answered with what has its colour
    page.locator(".picture").click()
    page.wait_for_selector(".picture .overlay:not([hidden])")
    assert "of the picture has this colour" in seen.text(".hint p")
    assert page.evaluate("document.querySelector('.overlay').naturalWidth") > 0
    # a run: the number, every stage, nothing reused
    seen.run()
    assert seen.rate() == pytest.approx(72, abs=2)
    assert not any(reused(page).values())
    assert {"split", "mask", "pulse", "segment"} <= reused(page).keys()
    # both clips play in step when somebody presses play, not before
    assert all(paused for _, paused in page.evaluate(PLAYS))
    page.locator(".compare").get_by_role("button", name="Play").click()
    seen.until("document.querySelector('.magnified').currentTime > 1")
    (now, paused), (other, _) = reversed(page.evaluate(PLAYS))
    assert not paused
    assert now == pytest.approx(other, abs=0.3)
    page.locator(".compare").get_by_role("button", name="Pause").click()
    # the charts follow the video, and lead it
    wave = page.locator(".plot.seekable").first
    box = wave.bounding_box()
    wave.click(position={"x": 0.8 * box["width"], "y": box["height"] / 2})
    seen.until("document.querySelector('.magnified').currentTime > 6.5")
    assert page.locator(".readout").first.inner_text().startswith("0:0")
    # another gain: all that is older than the magnified clip is reused
    before = page.evaluate("document.querySelector('.magnified').src")
    page.get_by_label("Gain", exact=True).fill("120")
    seen.run()
    found = reused(page)
    assert found["split"]
    assert found["mask"]
    assert found["pulse"]
    assert not found["segment"]
    seen.until(f"document.querySelector('.magnified').src !== {json.dumps(before)}")
    # all files in one archive, whole
    with page.expect_download() as kept:
        page.get_by_role("button", name="Download all").click()
    archive = zipfile.ZipFile(io.BytesIO(Path(kept.value.path()).read_bytes()))
    assert archive.testzip() is None
    names = {Path(name).name for name in archive.namelist()}
    assert {"result.json", "pulse.csv", "magnified.mp4", "skin.jpg"} <= names
    result = json.loads(archive.read(next(name for name in archive.namelist() if name.endswith("result.json"))))
    assert result["parameters"]["gain"] == 120
    assert result["parameters"]["skin_point"][:2] == pytest.approx([160, 120], abs=3)
    # erased: here and at the gateway
    job = page.evaluate("location.hash.slice(1)")
    asked = {"headers": page.evaluate("({Authorization: `Bearer ${sessionStorage.getItem('pulsemesh-token')}`})")}
    assert httpx.get(f"{seen.url}/v1/jobs/{job}", **asked).status_code == 200
    page.get_by_role("button", name="Erase").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Erase").click()
    page.get_by_text("The recording is erased.").first.wait_for()
    assert httpx.get(f"{seen.url}/v1/jobs/{job}", **asked).status_code == 404


def test_a_refusal_is_an_answer_with_its_cause(visit: Any, clips: Path) -> None:
    seen = visit()
    seen.upload(clips / "lamp.mp4")
    seen.run()
    said = seen.text(".answers")
    assert "No number this time" in said or "No skin was found" in said
    assert "What helps:" in said
    assert seen.page.locator(".notice[role=alert]").count() == 0, "a refusal is no error"
    assert seen.page.locator(".heart .value[data-value]").count() == 0


def test_what_is_no_clip_is_refused_in_words(visit: Any, clips: Path) -> None:
    seen = visit()
    seen.page.set_input_files("#file", clips / "broken.mp4")
    alert = seen.page.get_by_role("alert")
    alert.wait_for()
    assert "cannot be read" in alert.inner_text() or "not a video" in alert.inner_text()
    seen.complaints.clear()  # Chromium notes the answer 422 on the console


def test_a_setting_that_cannot_be_is_marked_where_it_is(visit: Any, clips: Path) -> None:
    seen = visit()
    seen.upload(clips / "pulse.mp4")
    field = seen.page.get_by_role("spinbutton", name="Band from")
    field.fill("99")
    seen.page.get_by_role("button", name="Find the pulse").click()
    seen.page.get_by_role("alert").wait_for()
    assert field.get_attribute("aria-invalid") == "true"
    assert "10" in seen.text("#setting-band_low_hz-wrong")
    field.fill("0.7")
    assert field.get_attribute("aria-invalid") is None
    seen.complaints.clear()  # Chromium notes the answer 422 on the console


def test_an_upload_that_breaks_off_goes_on_where_it_was(visit: Any, clips: Path) -> None:
    seen = visit()
    page = seen.page
    tried: list[str] = []

    def cut(route: Any) -> None:
        if route.request.method == "PATCH" and not tried:
            tried.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/v1/uploads/*", cut)
    page.set_input_files("#file", clips / "pulse.mp4")
    page.get_by_text("nothing is lost").wait_for()
    page.wait_for_selector(".sender", state="hidden")
    assert len(tried) == 1
    recording = tried[0].rsplit("/", 1)[1]
    token = page.evaluate("sessionStorage.getItem('pulsemesh-token')")
    kept = httpx.get(f"{seen.url}/v1/recordings/{recording}", headers={"Authorization": f"Bearer {token}"}).json()
    assert kept["size"] == (clips / "pulse.mp4").stat().st_size
    seen.complaints.clear()  # Chromium notes the broken connection on the console


@pytest.mark.clips
def test_a_real_face(visit: Any, shared_clip: Any) -> None:
    seen = visit()
    seen.upload(shared_clip("face.mp4"))
    seen.run()
    assert seen.rate() == pytest.approx(53, abs=1.5)
    seen.page.locator(".compare").get_by_role("button", name="Play").click()
    seen.until("document.querySelector('.magnified').currentTime > 0.5")
