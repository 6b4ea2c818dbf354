"""Two people in one recording: both rates are right, whatever the chunks."""

from pathlib import Path
from typing import Any

import pytest

from media.pulse_blob import Pulse
from phantom import PhantomSettings, write

pytestmark = pytest.mark.unit

RATES = [66.0, 92.0]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clip = tmp_path_factory.mktemp("people") / "two.mp4"
    settings = PhantomSettings(
        scene="face", seconds=12, fps=25, width=480, height=360, heart_rate=RATES[0], further_heart_rates=(RATES[1],),
        skin_tone=2, further_skin_tones=(3,), seed=4, keyframe_interval=25,
    )  # fmt: skip
    write(settings, clip)
    return clip


def test_both_rates_are_right(two: Path, process: Any) -> None:
    whole = process(two, segmenter="chroma", magnify="none", chunk_seconds=60)
    rates = [person.measurements["heart_rate"] for person in whole.result.people]
    assert [rate.status for rate in rates] == ["ok", "ok"]
    assert sorted(rate.value for rate in rates) == pytest.approx(RATES, abs=1.5)
    cut = process(two, segmenter="chroma", magnify="none", chunk_seconds=1.7)
    assert len(cut.plan.chunks) > 5
    assert cut.pulse == whole.pulse
    assert (cut.labels == whole.labels).all()


def test_each_has_skin_of_their_own(two: Path, process: Any) -> None:
    made = process(two, segmenter="chroma", gain=40.0, chunk_seconds=4)
    waves = Pulse.from_bytes(made.pulse).people
    assert [person.id for person in waves] == ["1", "2"]
    parts = [person.signal.skin_fraction for person in made.result.people]
    assert sum(parts) == pytest.approx((made.labels > 0).mean(), rel=1e-6)
    assert min(parts) > 0.3 * max(parts)
    header = made.files["pulse.csv"].splitlines()
    assert {line.split(b",")[0] for line in header[1:]} == {b"1", b"2"}
