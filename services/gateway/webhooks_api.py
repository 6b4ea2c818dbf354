"""What a receiver of webhooks needs to know."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.auth import Writer
from gateway.jobs_api import COMMON
from gateway.problems import responses
from gateway.state import TheGateway

router = APIRouter(prefix="/v1", tags=["jobs"])


class WebhookSecret(BaseModel):
    """What signatures are checked with."""

    secret: str = Field(description="`whsec_` and the key in base64, as the libraries of Standard Webhooks take it")


@router.get(
    "/webhook-secret",
    operation_id="getWebhookSecret",
    summary="What signatures of webhooks are checked with",
    responses=responses(*COMMON),
)
async def webhook_secret(gateway: TheGateway, principal: Writer) -> WebhookSecret:
    """The tenant's own, the same from every gateway of the mesh."""
    return WebhookSecret(secret=await gateway.webhooks.secret(principal.tenant))
