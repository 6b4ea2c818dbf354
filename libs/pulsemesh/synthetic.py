"""`pulsemesh phantom`: a synthetic clip and its truth, each file whole or not at all."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from phantom import PhantomSettings, Truth, write
from pulsemesh.arguments import ArgumentError

SUFFIXES = (".mp4", ".mov", ".mkv")


def render_clip(settings: PhantomSettings, clip: Path, truth: Path | None) -> Truth:
    """Render beside the target and move it there when it is whole.

    Raises
    ------
    ArgumentError
        If a path cannot be written or its suffix is unknown.
    """
    if clip.suffix.lower() not in SUFFIXES:
        raise ArgumentError(f"--out {clip} must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    with contextlib.ExitStack() as stack:
        try:
            for path in (clip, truth):
                if path is not None and path.is_dir():
                    raise ArgumentError(f"{path} is a folder")
                if path is not None:
                    path.parent.mkdir(parents=True, exist_ok=True)
            beside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".phantom-", dir=clip.parent)))
            found = write(settings, beside / f"clip{clip.suffix.lower()}")
            (beside / f"clip{clip.suffix.lower()}").replace(clip)
            if truth is not None:
                partial = truth.with_name(f".{truth.name}.partial")
                stack.callback(partial.unlink, missing_ok=True)
                partial.write_text(found.model_dump_json(), encoding="utf-8")
                partial.replace(truth)
        except OSError as error:
            raise ArgumentError(f"{clip} cannot be written: {error.strerror or error}") from error
    return found
