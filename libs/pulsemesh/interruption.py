"""Ctrl-C that cannot get lost: an exception raised inside an import or a destructor may be swallowed there."""

from __future__ import annotations

import signal
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_seen = False


def listen() -> None:
    """Raise KeyboardInterrupt at the first signal that asks us to end; not at SIGTERM and SIGHUP that are ignored."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGINT:
            signal.signal(number, _interrupt)


def check() -> None:
    """Raise KeyboardInterrupt if such a signal came: called wherever we wait, but not while cleaning up."""
    if _seen:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _seen
    _seen = True
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # what follows is cleaning up, and it is bounded
    raise KeyboardInterrupt
