"""Every error that leaves the gateway is an RFC 9457 problem, made from the class of its failure."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from mesh.errors import (
    PROBLEM_BASE,
    BadParameters,
    BadRequest,
    Busy,
    Failure,
    Internal,
    MethodNotAllowed,
    NotFound,
    Problem,
    RangeNotSatisfiable,
    Unauthorized,
    UnsupportedMedia,
    failure_classes,
)
from mesh.parameters import Parameters

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_BY_STATUS: dict[int, type[Failure]] = {
    400: BadRequest,
    401: Unauthorized,
    404: NotFound,
    405: MethodNotAllowed,
    415: UnsupportedMedia,
    416: RangeNotSatisfiable,
}
_LONGEST = 200  # characters of anything that came from outside and is said back


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as a response."""
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )


def failure_response(
    failure: Failure, instance: str, *, retry_after_s: int, headers: Mapping[str, str] | None = None
) -> Response:
    """A failure as a response; one that may pass says when to come back."""
    headers = dict(headers or {})
    if failure.status in (Busy.status, 503) or (failure.retryable and failure.status == 409):
        headers.setdefault("Retry-After", str(retry_after_s))
    if failure.status == Unauthorized.status:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="pulsemesh"')
    return problem_response(failure.problem(instance), headers)


# --- what a validation says, as JSON pointers


def pointer(location: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901) to a place in a document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _said(error: Mapping[str, Any], known: Sequence[str]) -> str:
    if error["type"] == "extra_forbidden":
        name = str(error["loc"][-1])[:_LONGEST]
        close = difflib.get_close_matches(name, known, n=1)
        return f"{name!r} is not known" + (f"; did you mean {close[0]!r}?" if close else "")
    return str(error["msg"]).removeprefix("Value error, ")[:_LONGEST]


def validation_errors(
    found: Sequence[Mapping[str, Any]], known: Sequence[str] = (), skip: int = 0
) -> list[dict[str, Any]]:
    """What pydantic found, as the `errors` of a problem: a JSON pointer and a sentence each.

    Parameters
    ----------
    found : sequence of mapping
        `ValidationError.errors()`.
    known : sequence of str
        Names that are known, for a guess at what was meant.
    skip : int
        Leading parts of each location that are no part of the document.
    """
    return [{"pointer": pointer(error["loc"][skip:]), "detail": _said(error, known)} for error in found]


def bad_parameters(error: ValidationError, prefix: str = "") -> BadParameters:
    """The failure for parameters that no run could use; `prefix` is the pointer to them in the request."""
    errors = validation_errors(error.errors(include_url=False, include_input=False), list(Parameters.model_fields))
    first = errors[0]
    where = first["pointer"].lstrip("/")
    for entry in errors:
        entry["pointer"] = prefix + entry["pointer"]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return BadParameters((f"{where}: " if where else "") + first["detail"] + more, errors=errors)


# --- the handlers


def install(app: FastAPI, retry_after_s: int) -> None:
    """Turn everything that is raised into problems."""

    def answer(request: Request, failure: Failure) -> Response:
        return failure_response(failure, request.url.path, retry_after_s=retry_after_s)

    async def on_failure(request: Request, error: Exception) -> Response:
        assert isinstance(error, Failure)
        if error.status >= 500:
            log.warning("a request failed", extra={"failure": error.slug, "detail": error.detail})
        return answer(request, error)

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = validation_errors(error.errors(), skip=1)
        failure = BadParameters(f"{errors[0]['pointer'].lstrip('/')}: {errors[0]['detail']}", errors=errors)
        failure.hint = None
        return answer(request, failure)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        failure = _BY_STATUS.get(error.status_code, BadRequest if error.status_code < 500 else Internal)()
        problem = failure.problem(request.url.path).model_copy(update={"status": error.status_code})
        return problem_response(problem, error.headers)

    async def on_defect(request: Request, error: Exception) -> Response:
        return answer(request, Internal())  # the server logs the exception; its text is for nobody else

    app.add_exception_handler(Failure, on_failure)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_defect)


def responses(
    *classes: type[Failure], also: Mapping[int | str, dict[str, Any]] | None = None
) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: which problems it answers with, made from their classes, and what it says `also`."""
    by_status: dict[int, list[type[Failure]]] = {}
    for cls in classes:
        by_status.setdefault(cls.status, []).append(cls)
    return dict(also or {}) | {
        status: {
            "description": "; ".join(cls.title for cls in found),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {
                        cls.slug: {
                            "summary": cls.title,
                            "value": cls().problem().model_dump(mode="json", exclude_none=True),
                        }
                        for cls in found
                    },
                }
            },
        }
        for status, found in sorted(by_status.items())
    }


def complete(document: dict[str, Any], models: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """Add to an OpenAPI document what its routes refer to by hand: `Problem`, with all its types, and `models`."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    named: dict[str, type[BaseModel]] = {"Problem": Problem, **models}
    for name, model in named.items():
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        for inner, definition in schema.pop("$defs", {}).items():
            schemas.setdefault(inner, definition)
        schemas.setdefault(name, schema)
    slugs = sorted({cls.slug for cls in failure_classes()})
    schemas["Problem"]["properties"]["type"]["examples"] = [PROBLEM_BASE + slug for slug in slugs]
    return document
