"""W3C trace context: one identifier follows a job through all services (https://www.w3.org/TR/trace-context/)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

TRACEPARENT = "traceparent"
_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def new_traceparent(trace: str | None = None) -> str:
    """A new span, of `trace` or of a new one."""
    return f"00-{trace or secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def trace_id(traceparent: str | None) -> str | None:
    """The trace of a header, None if the header is not well formed (all zeros is not)."""
    match = _FORM.match(traceparent or "")
    return match[1] if match and match[1].strip("0") and match[2].strip("0") else None


def current_traceparent() -> str:
    """Header of the span that we are in, or of a new trace."""
    return _current.get() or new_traceparent()


def current_trace() -> str | None:
    """The trace that we are in."""
    return trace_id(_current.get())


@contextmanager
def span(parent: str | None = None) -> Iterator[str]:
    """A span below `parent` (or below the current one); what is sent inside carries it."""
    traceparent = new_traceparent(trace_id(parent) or current_trace())
    token = _current.set(traceparent)
    try:
        yield traceparent
    finally:
        _current.reset(token)
