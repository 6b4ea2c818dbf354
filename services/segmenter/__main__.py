"""`python -m segmenter`: the service, and beside it the process that holds SAM 3 where `SAM3_WEIGHTS` is set."""

from __future__ import annotations

import contextlib
import logging
import sys

from mesh.errors import Failure
from mesh.service import create_app, run
from mesh.settings import MeshSettings
from mesh.telemetry import configure_logging
from segmenter.live_answers import answer_live_media
from segmenter.previews import MODULE, answer_previews
from segmenter.sam3.process import Sam3Process
from segmenter.sam3.settings import Sam3Settings

log = logging.getLogger(__name__)


def main() -> None:
    """Serve until SIGTERM; exit status 1 if SAM 3 is wanted and cannot be had."""
    settings = MeshSettings()
    if not Sam3Settings().weights:
        components = [answer_previews, answer_live_media]
        run("segmenter", create_app("segmenter", settings, components=components, call_modules=[MODULE]))
        return
    configure_logging("segmenter", settings.log_level, as_json=settings.log_json)
    with contextlib.ExitStack() as stack:
        try:
            sam3 = stack.enter_context(Sam3Process())  # before the children of the worker, who find it then
        except Failure as failure:
            log.error("SAM 3 cannot start", extra={"detail": failure.detail, "hint": failure.hint})
            sys.exit(1)
        app = create_app(
            "segmenter",
            settings,
            components=[answer_previews, answer_live_media],
            call_modules=[MODULE],
            info=lambda: {"sam3": sam3.description | {"ready": sam3.ready, "starts": sam3.starts}},
            ready=lambda: sam3.ready,
        )
        run("segmenter", app)


if __name__ == "__main__":
    main()
