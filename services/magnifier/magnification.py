"""What `result.json` says about the magnified clip: what was asked for, what was achieved, and what to mind."""

from __future__ import annotations

from typing import Any

from magnifier import facehr
from magnifier.flashes import MOST_PER_S, SMALL_AREA, flashing
from magnifier.record import Record
from media.pulse_blob import Pulse
from media.timeline import frame_times
from mesh.contracts import Plan, Task

_CLIPPED = 0.001  # part of the samples from which saturation is worth a warning
_WAVES = frozenset({"uniform", "patch", "eulerian-colour"})  # what is added goes with the measured pulse


def magnification(task: Task, record: Record, plan: Plan) -> dict[str, Any]:
    """What was asked for and what was added, per channel, before coding.

    Returns
    -------
    dict
        `method`, `gain`, `luma`, `warnings`, and `channels`: for each channel that was changed `gain` (added over
        measured pulse, least squares over frames; on skin only), `clipped_fraction` of the samples and
        `largest_levels`. `flashes`, where brightness was changed: the most in a second, and on what part of the picture
        there were more than three.
    """
    parameters = task.parameters
    channels = {}
    for name, channel in record.channels.items():
        if not channel.samples:
            continue
        entry: dict[str, float] = {
            "clipped_fraction": round(channel.clipped / channel.samples, 6),
            "largest_levels": round(channel.largest, 3),
        }
        if parameters.magnify in _WAVES and channel.power:
            entry["gain"] = round(channel.dot / channel.power, 3)
        channels[name] = entry
    described: dict[str, Any] = {"method": parameters.magnify, "frames": record.frames, "channels": channels}
    if parameters.magnify != "facehr":
        described |= {"gain": parameters.gain, "luma": parameters.luma}
    brightness = record.brightness
    if len(brightness) == len(plan.pts):
        per_second, area = flashing(brightness, frame_times(plan), plan.recording.full_range)
        described["flashes"] = {"most_per_s": per_second, "area_fraction": round(area, 4)}
    if record.warnings:
        described["warnings"] = list(record.warnings)
    return described


def clip_warnings(task: Task, pulse: Pulse, described: dict[str, Any] | None) -> list[str]:
    """Warnings about the magnified clip, in plain words.

    Parameters
    ----------
    task : Task
    pulse : Pulse
    described : dict or None
        From `magnification`; None where nothing was magnified.
    """
    parameters = task.parameters
    if described is None:
        said = any("no skin" in warning.lower() for warning in pulse.warnings)
        if parameters.magnify == "none" or pulse.skin_found or said:
            return []
        return ["No skin was found, so there is no magnified clip."]
    warnings = list(described.get("warnings", []))
    if parameters.magnify == "facehr":
        warnings.append(facehr.WARNING)
    elif parameters.magnify in _WAVES and not warnings and any(person.rate_hz is None for person in pulse.people):
        low, high = pulse.band_hz if parameters.magnify == "uniform" else parameters.magnify_band_hz
        warnings.append(
            f"No heart rate was found, so everything on the skin between {low:g} and {high:g} Hz was magnified: "
            "what is seen may not be a pulse."
        )
    clipped = max((c["clipped_fraction"] for c in described["channels"].values()), default=0.0)
    if clipped >= _CLIPPED and parameters.magnify != "facehr":
        where = "skin's samples" if parameters.region == "skin" else "samples"
        warnings.append(
            f"{100 * clipped:.1f} % of the {where} left the range of 8 bits and were clipped: "
            "the gain is lower there. Use a smaller gain."
        )
    flashes = described.get("flashes", {"most_per_s": 0.0, "area_fraction": 0.0})
    if flashes["most_per_s"] > MOST_PER_S and flashes["area_fraction"] >= SMALL_AREA:
        warnings.append(
            f"{100 * flashes['area_fraction']:.0f} % of the magnified picture flashes up to "
            f"{flashes['most_per_s']:.0f} times a second: more than three flashes a second can harm people with "
            "photosensitive epilepsy (WCAG 2.3.1). Use a smaller gain, or luma=false."
        )
    return warnings
