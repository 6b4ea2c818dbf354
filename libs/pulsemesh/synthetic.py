"""`pulsemesh phantom`: a synthetic clip and its truth, each file whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from phantom import PhantomSettings, Truth, write, write_arrays
from pulsemesh.arguments import ArgumentError

SUFFIXES = (".mp4", ".mov", ".mkv", ".webm")


def render_clip(
    settings: PhantomSettings, clip: Path, truth: Path | None, magnified: Path | None = None, gain: float = 30.0
) -> Truth:
    """Render beside the target and move it there when it is whole.

    Parameters
    ----------
    settings : PhantomSettings
    clip : Path
    truth : Path, optional
        Where to write what is true, as JSON; maps and masks go beside it as .npz.
    magnified : Path, optional
        Where to write the ideal magnified clip.
    gain : float
        Of that clip: its pulse is 1 + gain times as strong.

    Raises
    ------
    ArgumentError
        If a path cannot be written or its suffix is unknown.
    """
    for option, path in (("--out", clip), ("--magnified", magnified)):
        if path is not None and path.suffix.lower() not in SUFFIXES:
            raise ArgumentError(f"{option} {path} must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
        if path is not None and path.suffix.lower() == ".webm" and settings.codec != "vp9":
            raise ArgumentError(f"{option} {path}: .webm needs --codec vp9")
    if gain < 0:
        raise ArgumentError(f"--gain must not be below 0, not {gain:g}")
    if truth is not None and truth.suffix.lower() == ".npz":
        raise ArgumentError(f"--truth {truth}: the JSON needs another suffix, .npz is for the maps beside it")
    with contextlib.ExitStack() as stack:
        try:
            for path in (clip, truth, magnified):
                if path is not None and path.is_dir():
                    raise ArgumentError(f"{path} is a folder")
                if path is not None:
                    path.parent.mkdir(parents=True, exist_ok=True)
            beside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".phantom-", dir=clip.parent)))
            found = _write_whole(settings, beside, clip, 0.0)
            if magnified is not None:
                _write_whole(settings, beside, magnified, gain)
            if truth is not None:
                partial = truth.with_name(f".{truth.name}.partial")
                stack.callback(partial.unlink, missing_ok=True)
                write_arrays(settings, partial)
                partial.replace(truth.with_suffix(".npz"))
                partial.write_text(found.model_dump_json(), encoding="utf-8")
                partial.replace(truth)
        except OSError as error:
            raise ArgumentError(f"{clip} cannot be written: {error.strerror or error}") from error
    return found


def _write_whole(settings: PhantomSettings, beside: Path, clip: Path, gain: float) -> Truth:
    """Written in `beside` and moved to its place; a move across file systems copies first."""
    partial = beside / f"clip{clip.suffix.lower()}"
    found = write(settings, partial, gain=gain)
    if clip.parent.resolve() == beside.parent.resolve():
        partial.replace(clip)
        return found
    near = clip.with_name(f".{clip.name}.partial")
    try:
        shutil.copyfile(partial, near)
        near.replace(clip)
    finally:
        near.unlink(missing_ok=True)
    return found
