"""Signed links over HTTP."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from gateway.auth import Reader
from gateway.jobs_api import COMMON
from gateway.principals import Scope
from gateway.problems import responses
from gateway.state import TheGateway
from mesh.errors import BadRequest, NotFound

router = APIRouter(prefix="/v1", tags=["results"])
LIVE = "/v1/live"
_OWNED = re.compile(r"/v1/(jobs|recordings)/([a-z0-9_]{1,40})(/[^?#]*)?\Z")


class LinkRequest(BaseModel):
    """What a link is wanted for."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(max_length=500, description="Address below a job or a recording, or `/v1/live`, without a query")
    seconds: Annotated[int | None, Field(ge=1, le=86400)] = Field(
        default=None, description="How long it works; the gateway's own limit is the longest"
    )


class Link(BaseModel):
    """An address that works without a token, for reading, until it expires."""

    href: str
    expires_at: datetime


@router.post(
    "/links",
    operation_id="makeLink",
    summary="A short-lived signed link",
    status_code=201,
    responses=responses(*COMMON, BadRequest, NotFound),
)
async def make_link(gateway: TheGateway, principal: Reader, wanted: LinkRequest) -> Link:
    """For what cannot send a header: `<video>`, EventSource, WebSocket. Bound to the path and to GET."""
    found = _OWNED.match(wanted.path)
    if wanted.path == LIVE:
        principal.require(Scope.LIVE)
    elif found is None:
        raise BadRequest("a link is for an address below /v1/jobs/ or /v1/recordings/, or for /v1/live")
    elif found[1] == "jobs":
        await gateway.find(found[2], principal)
    elif not await gateway.owns(principal, found[2]):
        raise NotFound("there is no such recording")
    seconds = min(gateway.settings.link_s, wanted.seconds or gateway.settings.link_s)
    href, expires = await gateway.signer.link(wanted.path, principal.tenant, seconds)
    return Link(href=href, expires_at=datetime.fromtimestamp(expires, UTC))
