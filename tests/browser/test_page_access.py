"""Whoever cannot see it, cannot use a mouse, or has a small screen: names, contrast, keyboard, sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser
PHONE = (390, 844)

# Every control that is shown has a name, and every picture words (WCAG 1.1.1, 4.1.2).
NAMELESS = """() => {
  const named = (e) => (e.getAttribute("aria-label") || (e.labels && [...e.labels].map((l) => l.innerText).join("")) ||
    e.innerText || e.getAttribute("alt") || "").trim();
  return [...document.querySelectorAll("button, a[href], input, select, video, img:not([alt=''])")]
    .filter((e) => e.checkVisibility() && !named(e)).map((e) => e.outerHTML.slice(0, 120));
}"""

# Contrast of text against what lies behind it: 4.5, or 3 where it is large (WCAG 1.4.3). Over pictures it is not asked.
PALE = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
      if (a > 0.99) return [r, g, b];
      if (a > 0) return null;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest(".unseen, .sheet, :disabled, .finder, .pane, svg")) continue;
    const style = getComputedStyle(e);
    const back = behind(e);
    if (!back) continue;
    const [a, b] = [light(parse(style.color)), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio >= (large ? 3 : 4.5)) continue;
    found.push(`${ratio.toFixed(2)} ${e.className} ${e.textContent.trim().slice(0, 40)}`);
  }
  return found;
}"""

# Nothing that is pressed is smaller than 24 by 24 pixels (WCAG 2.5.8).
SMALL = """() => [...document.querySelectorAll("button, select, summary, input:not([type=radio], .unseen)")]
  .filter((e) => e.checkVisibility()).map((e) => [e, e.getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24).map(([e]) => e.outerHTML.slice(0, 120))"""

WIDER = "document.documentElement.scrollWidth > innerWidth"
TWICE = """() => { const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  return ids.filter((id, i) => ids.indexOf(id) !== i); }"""


def check(page: Any) -> None:
    """The rules above, of what is shown now, in both colour schemes."""
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(SMALL) == []
    assert page.evaluate(TWICE) == []
    assert not page.evaluate(WIDER)
    assert page.evaluate("document.querySelectorAll('h1:not([hidden] *)').length") == 1
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert page.evaluate(PALE) == [], scheme


@pytest.mark.parametrize("size", [(1280, 900), PHONE], ids=["desktop", "phone"])
def test_every_view(visit: Any, clips: Path, size: tuple[int, int]) -> None:
    seen = visit(size)
    page = seen.page
    page.wait_for_selector("#start h1")
    check(page)
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_selector(".checks li")
    check(page)
    page.get_by_role("button", name="Cancel").click()
    seen.upload(clips / "pulse.mp4")
    page.wait_for_selector(".skin-view:not([hidden])")
    page.evaluate("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })")
    check(page)
    seen.run()
    check(page)


def test_by_keyboard_alone(visit: Any, clips: Path) -> None:
    seen = visit()
    page = seen.page
    page.wait_for_selector("#start h1")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    seen.upload(clips / "pulse.mp4")
    page.locator(".picture").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(".overlay:not([hidden])")
    assert "of the picture has this colour" in seen.text(".hint p")
    page.get_by_role("button", name="Find the pulse").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".compare:not([hidden])")
    page.get_by_role("tab", name="Original and magnified").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.id") == "tab-skin"
    page.keyboard.press("ArrowRight")
    page.get_by_role("slider", name="Time in the clip").focus()
    page.keyboard.press("End")
    seen.until("document.querySelector('.magnified').currentTime > 9")


def test_a_gateway_that_asks_for_a_token(visit: Any) -> None:
    seen = visit(token=None)
    page = seen.page
    page.get_by_label("Access token").fill("not this one")
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("This token is not accepted.").wait_for()
    page.get_by_role("button", name="Cancel").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert alert.get_by_role("button", name="Try again").is_visible()
    seen.complaints.clear()  # Chromium notes the answers 401 on the console
