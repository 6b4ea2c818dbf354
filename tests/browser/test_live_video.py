"""A browser's own recorder before a live session: what MediaRecorder hands out is understood as it comes."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.browser

# what a client has to do, as docs/api.md says it
CLIENT = """async ({kind, seconds}) => {
  const page = document.querySelector("script[type=module]").src;
  const { api } = await import(new URL("api.js", page));
  if (!MediaRecorder.isTypeSupported(kind)) return null;
  const camera = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 }, audio: false });
  const address = new URL(await api.address("/v1/live"), location.href);
  address.protocol = "ws:";
  const socket = new WebSocket(address);
  const heard = [];
  const said = (type) => heard.filter((message) => message.type === type);
  socket.onmessage = ({ data }) => heard.push(JSON.parse(data));
  await new Promise((resolve) => (socket.onopen = resolve));
  socket.send(JSON.stringify({ type: "start", media: true }));
  const recorder = new MediaRecorder(camera, {
    mimeType: kind, videoBitsPerSecond: 1_500_000, videoKeyFrameIntervalDuration: 1000,
  });
  let number = 0;
  recorder.ondataavailable = ({ data }) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(JSON.stringify({ type: "piece", number }));
    socket.send(data); // text and blobs keep their order
    number += 1;
  };
  recorder.start(500);
  const end = performance.now() + 1000 * seconds;
  const good = () => said("update").findLast((update) => update.seconds >= 9.5 && update.heart_rate.status === "ok");
  while (performance.now() < end && !good() && socket.readyState === WebSocket.OPEN) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  recorder.stop();
  camera.getTracks().forEach((track) => track.stop());
  const still = socket.readyState === WebSocket.OPEN;
  if (still) socket.send(JSON.stringify({ type: "end" }));
  const update = good() ?? said("update").at(-1);
  return { still, problem: said("problem")[0], taken: said("taken").at(-1), update };
}"""


@pytest.mark.parametrize("kind", ["video/webm;codecs=vp9", "video/mp4;codecs=avc1.42E01E"])
def test_pieces_of_a_recorder_give_the_rate(visit: Any, kind: str) -> None:
    seen = visit()
    found = seen.page.evaluate(CLIENT, {"kind": kind, "seconds": 60})
    if found is None:
        pytest.skip(f"this Chromium records no {kind}")
    assert found["still"], found
    assert found["taken"]["frames"] > 100, found
    assert found["update"]["heart_rate"]["status"] == "ok", found["update"]["heart_rate"]
    assert found["update"]["heart_rate"]["value"] == pytest.approx(72, abs=2)
