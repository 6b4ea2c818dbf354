"""From the camera to the rate: guidance, countdown, recording; on a phone's screen as well."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.browser
PHONE = (390, 844)


def test_fifteen_seconds_before_the_camera(visit: Any) -> None:
    seen = visit(agreed=False)
    page = seen.page
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="I agree").click()  # said once
    page.wait_for_selector(".checks li")
    seen.until("document.querySelectorAll('.checks li.ok').length === 4")
    page.get_by_role("button", name="Start").click()
    seen.until("document.querySelector('#record').dataset.state === 'recording'")
    page.wait_for_selector(".live:not([hidden])")
    seen.until("!document.querySelector('#bench').hidden")
    # the recording is run without another press, and the answer is there before the clip
    page.wait_for_selector(".heart .value[data-value]")
    assert seen.rate() == pytest.approx(72, abs=2)
    seen.until("document.querySelector('#bench').getAttribute('aria-busy') === 'false'")
    assert seen.rate() == pytest.approx(72, abs=2)
    page.wait_for_selector(".compare:not([hidden])")


def test_a_camera_that_is_not_allowed_is_said_in_words(visit: Any) -> None:
    seen = visit(PHONE)
    page = seen.page
    page.evaluate(
        """() => {
          navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); };
        }"""
    )
    page.get_by_role("button", name="Use the camera").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "not allowed" in alert.inner_text()
    assert alert.get_by_role("button", name="Try again").is_visible()


def test_the_countdown_waits_while_something_is_wrong(visit: Any) -> None:
    seen = visit()
    page = seen.page
    page.get_by_role("button", name="Use the camera").click()
    seen.until("document.querySelectorAll('.checks li.ok').length === 4")
    # the light goes out: what the page's small canvas sees becomes dark
    page.evaluate(
        """() => {
          const draw = CanvasRenderingContext2D.prototype.drawImage;
          window.lightOn = () => { CanvasRenderingContext2D.prototype.drawImage = draw; };
          CanvasRenderingContext2D.prototype.drawImage = function (...given) {
            this.fillStyle = "#0a0807";
            this.fillRect(0, 0, this.canvas.width, this.canvas.height);
          };
        }"""
    )
    page.get_by_role("button", name="Start").click()
    seen.until("/Waiting: .*(dark|skin)/i.test(document.querySelector('.say').textContent)")
    page.wait_for_timeout(4000)  # longer than the countdown of three seconds
    assert page.locator("#record").get_attribute("data-state") == "ready"
    page.evaluate("lightOn()")
    seen.until("document.querySelector('#record').dataset.state === 'recording'")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector("#start h1")
