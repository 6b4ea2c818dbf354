"""`report.html`: one page that works from a folder, without a network.

Pictures are embedded; the two videos are too large for that and lie beside the page under their own names. Everything
that is drawn is also said in words or in a table.
"""

from __future__ import annotations

import base64
import html
from pathlib import Path
from string import Template

from mesh.contracts import DISCLAIMER, Measurement, Person, PersonMapSummary, RegionPulse, Result

_TEMPLATE = Path(__file__).with_name("report.html")
_NAMES = {
    "heart_rate": "Heart rate",
    "breathing_rate": "Breathing rate",
    "beats": "Beats",
    "sdnn": "SDNN",
    "rmssd": "RMSSD",
    "pnn50": "pNN50",
    "lf": "LF power",
    "hf": "HF power",
    "lf_hf": "LF/HF",
    "spo2": "Oxygen saturation",
    "stress": "Stress",
}
_MAPS = {
    "amplitude.png": (
        "Relative pulsatile amplitude",
        "How strongly each place pulses: amplitude of the pulse over the mean brightness of the skin.",
    ),
    "delay.png": (
        "Delay",
        "When the pulse arrives at each place, against the pulse of the whole skin, in milliseconds.",
    ),
    "vessels.png": (
        "Candidates for vessels",
        "Lines along which the pulse is stronger and earlier than around them, or weaker and later.",
    ),
    "rate.png": ("Heart rate of patches", "The strongest frequency of each patch by itself, in beats a minute."),
    "quality.png": (
        "Quality",
        "How sure the amplitude is at each place: amplitude over its standard error, in decibels.",
    ),
}
_VIDEOS = {
    "magnified.mp4": ("Magnified", "The clip with the pulse made visible."),
    "overlay.mp4": ("Map over the moving picture", "Each place lights up when its own pulse arrives."),
}


def _text(words: str) -> str:
    return html.escape(words, quote=True)


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def in_words(measured: Measurement) -> str:
    """A measurement with its interval, or why there is none."""
    if measured.status != "ok" or measured.value is None:
        return f"refused: {measured.reason or 'no reason given'}"
    said = f"{_number(measured.value)} {measured.unit}".strip()
    if measured.low is not None and measured.high is not None:
        said += f" (90 % interval {_number(measured.low)} to {_number(measured.high)})"
    return said


def _picture(path: Path, words: str) -> str:
    kind = "jpeg" if path.suffix == ".jpg" else "png"
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img src="data:image/{kind};base64,{data}" alt="{_text(words)}">'


def _figure(path: Path, title: str, words: str) -> str:
    return (
        f"<figure><h3>{_text(title)}</h3>{_picture(path, f'{title}. {words}')}"
        f"<figcaption>{_text(words)}</figcaption></figure>"
    )


def _table(head: list[str], rows: list[list[str]], caption: str) -> str:
    if not rows:
        return ""
    cells = "".join(f'<th scope="col">{_text(h)}</th>' for h in head)
    body = "".join(
        f'<tr><th scope="row">{_text(row[0])}</th>{"".join(f"<td>{_text(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{_text(caption)}"><table><caption>{_text(caption)}'
        f"</caption><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _person(person: Person, alone: bool) -> str:
    measured = person.measurements.items()
    rows = [[_NAMES.get(name, name.replace("_", " ")), m.unit, in_words(m)] for name, m in measured if m.status == "ok"]
    refused = [
        [_NAMES.get(name, name.replace("_", " ")), m.reason or "no reason given"]
        for name, m in measured
        if m.status != "ok"
    ]
    over_time = [[f"{point.time_s:.1f} s", in_words(point.heart_rate)] for point in person.heart_rate_over_time]
    title = "" if alone else f"<h3>Person {_text(person.id)}</h3>"
    snr = "not known" if person.signal.snr_db is None else f"{person.signal.snr_db:.1f} dB"
    quality = f"<p>Signal-to-noise ratio {snr}; {100 * person.signal.skin_fraction:.1f} % of the picture is skin.</p>"
    windows = _table(["Middle of the window", "Heart rate"], over_time, "Heart rate over time")
    return "".join(
        [
            title,
            _table(["Measurement", "Unit", "Value"], rows, "Measured"),
            _table(["Measurement", "Why not, and what would help"], refused, "Refused"),
            quality,
            f"<details><summary>Heart rate over time, {len(over_time)} windows</summary>{windows}</details>"
            if over_time
            else "",
        ]
    )


def _mapped(person: PersonMapSummary, alone: bool) -> str:
    who = "" if alone else f"Person {person.id}: "
    if person.status != "ok":
        return f"<p>{_text(who + (person.reason or 'no maps'))}</p>"
    said = (
        f"{who}Relative pulsatile amplitude: {_number(person.amplitude.value or 0)} % in the median, "
        f"{_number(person.amplitude.low or 0)} to {_number(person.amplitude.high or 0)} % over nine tenths of skin. "
    )
    if person.delay_spread.status == "ok":
        low, high = person.delay_spread.low or 0, person.delay_spread.high or 0
        said += f"Delays of nine tenths of the skin: {_number(low)} to {_number(high)} ms against the whole skin. "
    said += (
        f"An amplitude was accepted on {100 * (person.amplitude_mapped or 0):.0f} % of the skin, "
        f"a delay on {100 * (person.delay_mapped or 0):.0f} %."
    )
    rows = []
    for number, c in enumerate(person.candidates, start=1):
        when = f"{abs(c.earlier_ms):.1f} ms {'earlier' if c.earlier_ms >= 0 else 'later'}"
        rows.append(
            [
                f"{'A' if c.kind == 'artery-like' else 'V'}{number}",
                c.kind,
                f"{c.score:.1f}",
                f"{100 * c.confidence:.0f} %",
                f"{c.amplitude_ratio:.2f}",
                when,
                f"{c.length_px:.0f} px",
            ]
        )
    head = ["Line", "Kind", "Score", "Confidence", "Amplitude to surroundings", "Against surroundings", "Length"]
    none = "" if rows else "<p>No line stands out as a candidate for a vessel.</p>"
    lines = f"{_table(head, rows, f'{who}Candidates for vessels')}{none}"
    return f"<p>{_text(said)}</p>{_regions(person.regions, who)}{lines}"


def _regions(regions: dict[str, RegionPulse], who: str) -> str:
    rows, refused = [], []
    for name, pulse in regions.items():
        words = name.replace("_", " ").capitalize()
        shown = [(pulse.amplitude, 3), (pulse.amplitude_ratio, 2), (pulse.delay, 1)]
        rows.append([words, *(_with_interval(m, digits) for m, digits in shown), f"{100 * pulse.seen:.0f}"])
        # one reason may hold for all three
        refused += [[words, why] for why in dict.fromkeys(m.reason for m, _ in shown if m.reason)]
    head = ["Region", "Amplitude, %", "Against the whole skin", "Delay after the whole skin, ms", "Part seen, %"]
    caption = f"{who}Regions of the face, with 90 % intervals; right and left are the person's"
    reasons = _table(["Region", "Why not, and what would help"], refused, f"{who}Refused for regions")
    note = (
        "<p>The intervals do not hold what compression takes from the pulse in all of the clip: it takes more where "
        "the pulse is weak.</p>"
    )
    return f"{_table(head, rows, caption)}{reasons}{note}" if rows else ""


def _with_interval(measured: Measurement, digits: int) -> str:
    if measured.value is None:
        return "refused"
    value = f"{measured.value:z.{digits}f}"
    if measured.low is None or measured.high is None:
        return value
    return f"{value} ({measured.low:z.{digits}f} to {measured.high:z.{digits}f})"


def write_report(result: Result, folder: Path, names: list[str]) -> Path:
    """Write the page beside the other files.

    Parameters
    ----------
    result : Result
    folder : Path
        Holds the files.
    names : list of str
        Those that the job has: a picture that is not among them is not shown.

    Returns
    -------
    Path
    """
    alone = len(result.people) == 1
    recording = result.recording
    facts = (
        f"{recording.width} x {recording.height}, {recording.fps:.2f} frames a second, {recording.duration_s:.1f} s, "
        f"{recording.codec}"
    )
    headline = "; ".join(
        ("" if alone else f"person {p.id}: ") + f"heart rate {in_words(p.measurements['heart_rate'])}"
        for p in result.people
        if "heart_rate" in p.measurements
    )
    maps = "".join(_figure(folder / file, *said) for file, said in _MAPS.items() if file in names)
    about_maps = "<p>Maps were not asked for.</p>"
    if result.maps is not None:
        about_maps = "".join(_mapped(person, alone) for person in result.maps.people)
        about_maps = about_maps or "<p>No skin was found, so there is nothing to map.</p>"
        about_maps += f'<p class="warning">{_text(result.maps.warning)}</p>'
    videos = "".join(
        f'<figure><h3>{_text(title)}</h3><video controls loop muted playsinline preload="metadata" src="{file}" '
        f'aria-label="{_text(title)}"></video><figcaption>{_text(words)} <a href="{file}">{file}</a> lies beside this '
        "page.</figcaption></figure>"
        for file, (title, words) in _VIDEOS.items()
        if file in names
    )
    warnings = "".join(f"<li>{_text(w)}</li>" for w in result.warnings)
    parameters = [[name, str(value)] for name, value in result.parameters.model_dump().items() if value is not None]
    page = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        headline=_text(headline[:1].upper() + headline[1:] or "Nothing was measured"),
        facts=_text(facts),
        disclaimer=_text(DISCLAIMER),
        people="".join(_person(person, alone) for person in result.people),
        wave=_figure(
            folder / "pulse.png",
            "Wave, spectrum and rate",
            "The pulse wave, its power spectrum, and the heart rate over time with its 90 % interval; the numbers "
            "stand in the tables above and in pulse.csv.",
        ),
        skin=_figure(
            folder / "skin.jpg", "What was taken for skin", "All of the above comes from here: look at it first."
        ),
        about_maps=about_maps,
        maps=maps,
        videos=videos or "<p>There is no video: nothing was magnified or mapped.</p>",
        warnings=f"<ul>{warnings}</ul>" if warnings else "<p>None.</p>",
        parameters=_table(["Parameter", "Value"], parameters, "Parameters of this job"),
        version=_text(result.version),
        job=_text(result.job),
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path
