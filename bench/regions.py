"""How true the pulse of the named regions of a face is, and whether its intervals hold what they promise.

    python bench/regions.py [--folder CLIPS]

Phantoms of a face: 640x480, 30 frames a second, 20 s, amplitude 0.5 %; each as it is rendered and as x264 leaves it at
CRF 18. Masks are those of the face mesh, the phase of the beat is the phantom's. The truth of a region is the mean of
the phantom's own map over the region's polygon, laid over the head at rest by the mesh; that of the whole skin is the
mean over the cells that the maps took for skin. Nothing was chosen on these
seeds. Intervals are of 90 %.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from maps import COMMON, Case
from numpy.typing import NDArray
from results import save

from magnifier.maps.chunk_sums import sum_chunk, sums_to_bytes
from magnifier.maps.gather import gather_maps
from magnifier.maps.person_maps import PersonMaps
from media.decode import Frame
from media.masks import MaskWriter, read_masks
from media.polygons import fill
from mesh.contracts import Measurement
from mesh.parameters import Parameters
from phantom import PhantomSettings
from phantom.render import render
from segmenter.face import canonical, segmenter
from segmenter.face.regions import REGIONS

Floats = NDArray[np.float64]

SEEDS = (101, 102)
MOTIONS = ("still", "talking", "rotation10", "rotation30")
MEASURES = ("amplitude", "amplitude_ratio", "delay")


def rendered(settings: PhantomSettings) -> Iterator[Frame]:
    """Frames that no codec has touched."""
    for shown in render(settings):
        yield Frame(shown.index, shown.time, shown.y, shown.u, shown.v)


def truth(case: Case, person: PersonMaps) -> dict[str, dict[str, float]]:
    """Amplitude (%), ratio to the whole face and delay after it (ms) of every region."""
    settings, maps, box = case.settings, case.maps, person.box
    assert box is not None
    rest = next(rendered(settings.model_copy(update={"motion": "still", "seconds": 0.1})))
    mask = next(iter(segmenter.masks(case.plan, [rest], 0, 1, Parameters(key="per_frame"))))
    back = canonical.inverse(np.array(mask.instances[0].transform))
    turn = 2 * np.pi * settings.heart_rate / 60
    beat = maps.amplitude * np.exp(-1j * turn * maps.delay_s)
    living = maps.labels > 0

    def samples(points: Floats) -> Floats:
        """Chroma samples, counted from the edge of the plane, of canonical places."""
        return np.asarray((canonical.apply(back, points) + 0.5) / 2)

    rows, columns = np.nonzero(person.maps["skin"])
    middles = np.stack([box.column + columns + 0.5, box.row + rows + 0.5], axis=1) * box.side - 0.5
    x, y = np.floor(samples(middles)).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < living.shape[1]) & (y < living.shape[0])
    x, y = x[inside], y[inside]
    whole = beat[y, x][living[y, x]].mean()
    found = {}
    for name, polygon in REGIONS.items():
        corners = samples(np.array(polygon, np.float64))
        own = beat[fill(corners, (len(corners),), living.shape) & living].mean()
        found[name] = {
            "amplitude": float(100 * settings.amplitude * abs(own)),
            "amplitude_ratio": float(abs(own) / abs(whole)),
            "delay": float(-1000 * np.angle(own / whole) / turn),
        }
    return found


def measured(case: Case, frames: Iterable[Frame]) -> PersonMaps:
    """The maps of the face."""
    shown, plan, parameters = list(frames), case.plan, Parameters()
    writer = MaskWriter(case.labels.shape, segmenter.CANONICAL, REGIONS)
    for mask in segmenter.masks(plan, shown, 0, len(shown), parameters):
        writer.add(mask)
    masks = read_masks(writer.finish())
    sums = sums_to_bytes(sum_chunk(plan, case.pulse, 0, shown, masks, None))
    (person,) = gather_maps(plan, case.pulse, parameters, [sums], masks).people
    return person


def judged(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Bias, error, and how often the interval holds the truth."""
    found: dict[str, Any] = {}
    for name in MEASURES:
        told = [(row["truth"][name], Measurement(**row[name])) for row in rows]
        known = [(true, m) for true, m in told if m.value is not None and m.low is not None and m.high is not None]
        if not known:
            found[name] = {"refused": len(told)}
            continue
        true = np.array([t for t, _ in known])
        value, low, high = (np.array([getattr(m, k) for _, m in known], np.float64) for k in ("value", "low", "high"))
        scale = 1.0 if name == "delay" else true
        found[name] = {
            "regions": len(known),
            "refused": len(told) - len(known),
            "correlation": round(float(np.corrcoef(value, true)[0, 1]), 3),
            "bias" if name == "delay" else "relative_bias": round(float(np.mean((value - true) / scale)), 3),
            "rmse" if name == "delay" else "relative_rmse": round(
                float(np.sqrt(np.mean(((value - true) / scale) ** 2))), 3
            ),
            "half_interval": round(float(np.median((high - low) / 2 / scale)), 3),
            "interval_holds": round(float(np.mean((low <= true) & (true <= high))), 3),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where clips are kept (made if they are not there)")
    folder = parser.parse_args().folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for motion in MOTIONS:
        for seed in SEEDS:
            given: dict[str, Any] = {"scene": "face", "seed": seed, "motion": motion, **COMMON}
            case = Case(PhantomSettings(**given), folder)
            for codec, frames in (("none", rendered(case.settings)), ("crf 18", case.frames())):
                person = measured(case, frames)
                true = truth(case, person)
                for name, region in person.regions.items():
                    told = {key: getattr(region, key).model_dump(exclude_none=True) for key in MEASURES}
                    shown = {"motion": motion, "seed": seed, "codec": codec, "region": name, "seen": region.seen}
                    rows.append({**shown, **told, "truth": true[name]})
            print(motion, seed, judged(rows[-10:-5]), judged(rows[-5:]), flush=True)
    summary = {
        codec: {
            str(motion): judged([r for r in rows if r["codec"] == codec and r["motion"] == motion])
            for motion in MOTIONS
        }
        for codec in ("none", "crf 18")
    }
    figures = {"units": "amplitude %, delay ms; intervals 90 %", "summary": summary, "regions": rows}
    save("regions", figures)


if __name__ == "__main__":
    main()
