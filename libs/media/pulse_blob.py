"""The pulse of a recording: what `pulse` found and every later stage reads."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from media.array_blob import pack, unpack
from media.people import Span
from mesh.contracts import Person

Wave = NDArray[np.float64]


@dataclass(frozen=True)
class PersonWaves:
    """The waves of one person (of one piece of skin).

    Attributes
    ----------
    id : str
        As in the measurements.
    spans : tuple of (int, int, int)
        First frame, the frame after the last, and the label of this person's skin in the masks of these frames: see
        `media.people.label_at`.
    R, G, B, Y, U, V : float64[samples]
        Means over the skin on the plan's grid: R, G, B in 0-255, Y, U, V in stored levels.
    R_f, G_f, B_f : float64[samples]
        R, G, B through the chosen filter.
    white : float64[samples]
        Mean of `R_f`, `G_f` and `B_f`.
    pulse : float64[samples]
        The chosen method's wave, band-passed, in parts of the skin's brightness (1 is 100 %); blood up.
    delta_Y, delta_U, delta_V : float64[frames]
        The pulse in stored levels at the plan's frame times: band-passed means over the skin, divided by the
        filter's response at the measured rate, so that adding g times of it makes a pulse of a into (1 + g) a.
    white_normalised : float64[frames]
        faceHR's (ajsteele, 2022) signal at the plan's frames: mean over B, G, R of the traces through its zero-padded
        moving averages, each divided by its largest absolute value (times its `delta` of 1).
    phase : float64[frames]
        Of the heart beat at the plan's frames, radians, unwrapped: `pulse` goes as cos(phase), so that whole turns
        are the moments of most blood. NaN where the rate was refused.
    rate_hz : float or None
        The heart rate, None where it was refused.
    """

    id: str
    spans: tuple[Span, ...]
    R: Wave
    G: Wave
    B: Wave
    Y: Wave
    U: Wave
    V: Wave
    R_f: Wave
    G_f: Wave
    B_f: Wave
    white: Wave
    pulse: Wave
    delta_Y: Wave
    delta_U: Wave
    delta_V: Wave
    white_normalised: Wave
    phase: Wave
    rate_hz: float | None = None


_WAVES = tuple(f.name for f in fields(PersonWaves) if f.name not in ("id", "spans", "rate_hz"))


@dataclass(frozen=True)
class Pulse:
    """Waves and measurements of all people of a recording.

    Attributes
    ----------
    skin_found : bool
        False: there is nobody in `people`, and nothing to magnify.
    time_s : float64[samples]
        The plan's grid in seconds.
    people : list of PersonWaves
        Those whose skin was found.
    measurements : list of Person
        In the order of `people`; one person with refused measurements where no skin was found.
    warnings : list of str
        For the user.
    band_hz : tuple of float
        Edges of the pass band that the waves went through.
    """

    skin_found: bool
    time_s: Wave
    people: list[PersonWaves]
    measurements: list[Person]
    warnings: list[str] = field(default_factory=list)
    band_hz: tuple[float, float] = (0.6, 4.0)

    def to_bytes(self) -> bytes:
        """The blob; the same pulse always gives the same bytes."""
        arrays = {"time_s": self.time_s}
        for number, person in enumerate(self.people):
            for name in _WAVES:
                arrays[f"{number}.{name}"] = np.asarray(getattr(person, name), np.float64)
        header = {
            "skin_found": self.skin_found,
            "band_hz": list(self.band_hz),
            "warnings": self.warnings,
            "people": [{"id": p.id, "spans": p.spans, "rate_hz": p.rate_hz} for p in self.people],
            "measurements": [m.model_dump(mode="json") for m in self.measurements],
        }
        return pack(arrays, header)

    @classmethod
    def from_bytes(cls, data: bytes) -> Pulse:
        """What `to_bytes` wrote; the arrays are read-only.

        Raises
        ------
        ValueError
            If `data` is no such blob.
        """
        arrays, header = unpack(data)
        people = [
            PersonWaves(
                id=entry["id"],
                spans=tuple((int(a), int(b), int(c)) for a, b, c in entry["spans"]),
                rate_hz=entry["rate_hz"],
                **{name: arrays[f"{number}.{name}"] for name in _WAVES},
            )
            for number, entry in enumerate(header["people"])
        ]
        return cls(
            skin_found=header["skin_found"],
            time_s=arrays["time_s"],
            people=people,
            measurements=[Person.model_validate(m) for m in header["measurements"]],
            warnings=header["warnings"],
            band_hz=(header["band_hz"][0], header["band_hz"][1]),
        )
