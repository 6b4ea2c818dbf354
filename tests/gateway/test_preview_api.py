"""The preview of skin: over HTTP, through the broker, drawn by a segmenter that is really there."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from gateway_kit import ServedGateway, settings_for
from PIL import Image

from mesh.names import new_id
from mesh.service import create_app
from mesh.settings import MeshSettings
from phantom import PhantomSettings, masks, write
from pulsemesh.broker import Broker
from segmenter.previews import MODULE, answer_previews

pytestmark = pytest.mark.mesh

HAND = PhantomSettings(scene="hand", skin_tone=4, seconds=1, fps=10, width=320, height=240, seed=2, rotation=90)


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hand") / "hand.mp4"
    write(HAND, path)
    return path


@pytest.fixture(scope="module")
def picture(hand: Path) -> Image.Image:
    """The first frame as it is shown."""
    with av.open(str(hand)) as container:
        return next(container.decode(video=0)).to_image().rotate(-90, expand=True)


@pytest.fixture(scope="module")
def truth() -> Any:
    """Where the skin is in the picture as it is shown, at half its size."""
    return np.rot90(next(masks(HAND)), -1) > 0


@pytest.fixture(scope="module")
def gateway(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """A gateway with the real `split`, and no segmenter."""
    with ServedGateway(settings_for(broker, tmp_path_factory.mktemp("real")), real=True, stages=["split"]) as served:
        yield served


@pytest.fixture(scope="module")
def segmenter(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The part of a segmenter that answers previews."""
    settings = MeshSettings.model_validate(
        {
            "nats_url": broker.url, "nats_user": broker.user, "nats_password": broker.password,
            "scratch": tmp_path_factory.mktemp("segmenter"),
        }
    )  # fmt: skip
    app = create_app("segmenter", settings, stages=[], components=[answer_previews], call_modules=[MODULE])
    loop, up, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def live() -> None:
        async with app.router.lifespan_context(app):
            await asyncio.sleep(0.5)  # the component has subscribed
            await app.state.runtime.bus.nc.flush()
            up.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(live()), daemon=True)
    thread.start()
    assert up.wait(60)
    yield
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    assert not thread.is_alive()
    loop.close()


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def ask(gateway: ServedGateway, content: bytes, **parameters: Any) -> Any:
    return gateway.http.post(
        "/v1/preview/skin",
        files={"picture": ("frame.png", content, "image/png")},
        data={"parameters": json.dumps(parameters)},
    )


def shown_as_skin(found: dict[str, Any]) -> Any:
    """Where the overlay is clear or drawn as a border, at half the picture's size."""
    data = base64.b64decode(found["overlay"].removeprefix("data:image/png;base64,"))
    overlay = Image.open(io.BytesIO(data)).convert("RGBA")
    assert overlay.size == (found["width"], found["height"])
    rgba = np.asarray(overlay.resize((120, 160), Image.Resampling.NEAREST))
    return (rgba[..., 3] == 0) | (rgba[..., 1] > 200)


def overlap(one: Any, other: Any) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_without_a_segmenter_the_preview_is_unavailable(gateway: ServedGateway, picture: Image.Image) -> None:
    answer = ask(gateway, encoded(picture), skin_point=[120, 160])
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


@pytest.mark.usefixtures("segmenter")
class TestPreview:
    def test_a_point_on_skin_shows_the_skin(self, gateway: ServedGateway, picture: Image.Image, truth: Any) -> None:
        answer = ask(gateway, encoded(picture), skin_point=[120, 190])
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert overlap(shown_as_skin(found), truth) > 0.85
        assert found["skin_fraction"] == pytest.approx(truth.mean(), abs=0.03)
        assert found["similarity"] == 100.0
        assert (found["reason"], found["warning"]) == (None, None)
        again = ask(gateway, encoded(picture), skin_chroma=found["chroma"])  # what it says can be given as the key
        assert again.json()["skin_fraction"] == pytest.approx(found["skin_fraction"], abs=0.002)
        less = ask(gateway, encoded(picture), skin_point=[120, 190], chroma_similarity=9)
        assert less.json()["skin_fraction"] < found["skin_fraction"]

    def test_a_point_on_the_wall_is_warned_of(self, gateway: ServedGateway, picture: Image.Image) -> None:
        found = ask(gateway, encoded(picture), skin_point=[8, 8]).json()
        assert "hardly one that skin has" in found["warning"]

    def test_without_a_point_the_colour_decides(self, gateway: ServedGateway, picture: Image.Image, truth: Any) -> None:
        found = ask(gateway, encoded(picture)).json()
        assert overlap(shown_as_skin(found), truth) > 0.85
        blue = Image.new("RGB", (64, 64), (40, 60, 200))
        nothing = ask(gateway, encoded(blue)).json()
        assert nothing["chroma"] is None
        assert nothing["skin_fraction"] == 0
        assert "colour of skin" in nothing["reason"]

    def test_a_picture_as_it_is(self, gateway: ServedGateway, picture: Image.Image) -> None:
        answer = gateway.http.post(
            "/v1/preview/skin",
            params={"parameters": json.dumps({"skin_point": [120, 190]})},
            content=encoded(picture, "JPEG", quality=92),
            headers={"Content-Type": "image/jpeg"},
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["skin_fraction"] > 0.1

    def test_a_large_picture_is_made_smaller(self, gateway: ServedGateway, picture: Image.Image, truth: Any) -> None:
        rng = np.random.default_rng(0)
        large = np.asarray(picture.resize((1440, 1920))).astype(int) + rng.integers(-12, 13, (1920, 1440, 3))
        content = encoded(Image.fromarray(np.clip(large, 0, 255).astype(np.uint8)))
        assert len(content) > 4 << 20
        answer = ask(gateway, content, skin_point=[720, 1140])
        assert answer.status_code == 200, answer.text
        assert overlap(shown_as_skin(answer.json()), truth) > 0.8

    def test_a_turned_photograph_is_upright(self, gateway: ServedGateway, picture: Image.Image, truth: Any) -> None:
        exif = Image.Exif()
        exif[0x112] = 6  # to be turned by 90 degrees clockwise
        for size in ((240, 320), (2400, 3200)):  # decoded by the segmenter; made smaller before
            content = encoded(picture.resize(size).rotate(90, expand=True), "JPEG", quality=97, exif=exif)
            scale = size[0] / 240
            answer = ask(gateway, content, skin_point=[120 * scale, 190 * scale])
            assert answer.status_code == 200, answer.text
            assert answer.json()["height"] > answer.json()["width"]
            assert overlap(shown_as_skin(answer.json()), truth) > 0.8

    def test_a_moment_of_a_recording(self, gateway: ServedGateway, hand: Path, truth: Any) -> None:
        view = gateway.job(hand)
        asked = {"recording": view["recording"], "time_s": 0.5, "parameters": {"skin_point": [120, 190]}}
        for _ in range(200):
            answer = gateway.http.post("/v1/preview/skin", json=asked)
            if answer.status_code != 409:
                break
            threading.Event().wait(0.1)
        assert answer.status_code == 200, answer.text
        assert overlap(shown_as_skin(answer.json()), truth) > 0.85
        late = gateway.http.post("/v1/preview/skin", json=asked | {"time_s": 1000})
        assert late.status_code == 200  # the last frame stays on the screen

    @pytest.mark.parametrize(
        ("content", "status", "slug"),
        [(b"no picture at all", 422, "unreadable-picture"), (b"\x89PNG\r\n\x1a\n" + bytes(2 << 20), 422, None)],
    )
    def test_what_is_no_picture(self, gateway: ServedGateway, content: bytes, status: int, slug: str | None) -> None:
        answer = ask(gateway, content)
        assert answer.status_code == status
        assert answer.json()["type"].endswith(slug or "unreadable-picture")

    def test_a_bomb_is_refused_before_it_is_unpacked(self, gateway: ServedGateway) -> None:
        answer = ask(gateway, encoded(Image.new("L", (20_000, 20_000))))
        assert answer.status_code in (413, 422)

    def test_bad_requests(self, gateway: ServedGateway, picture: Image.Image) -> None:
        content = encoded(picture)
        assert ask(gateway, content, skin_point=[240, 1]).json()["type"].endswith("/bad-parameters")
        assert ask(gateway, content, skin_pint=[1, 1]).json()["type"].endswith("/bad-parameters")
        assert ask(gateway, b"").status_code == 400
        post = gateway.http.post
        assert post("/v1/preview/skin", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
        assert post("/v1/preview/skin", json={"recording": new_id("rec")}).status_code == 404
        assert post("/v1/preview/skin", json={"recordings": "x"}).json()["type"].endswith("/bad-parameters")
        assert (
            post("/v1/preview/skin", content=bytes(25 << 20), headers={"Content-Type": "image/png"}).status_code == 413
        )
