"""The gateway's app: wiring only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from gateway import (
    jobs_api,
    links_api,
    live_api,
    measurements_api,
    page_api,
    parameters_api,
    preview_api,
    problems,
    recordings_api,
    results_api,
    tus,
    tus_api,
    webhooks_api,
)
from gateway.auth import REQUESTS, SUBMISSIONS, Guard
from gateway.exchange import REQUEST_ID, Exchange
from gateway.principals import Tokens
from gateway.rate_limits import Policy, RateLimits
from gateway.settings import GatewaySettings
from gateway.state import Gateway
from mesh.contracts import DISCLAIMER
from mesh.service import Runtime, create_app

Component = Callable[[Runtime], Awaitable[None]]

DESCRIPTION = f"Finds the pulse in ordinary video of human skin and shows where it flows.\n\n{DISCLAIMER}"
ASKED = [
    "Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "Range", "If-Range", "If-None-Match",
    *tus.ASKED,
]  # fmt: skip
SHOWN = [
    "Location", "ETag", "Content-Range", "Accept-Ranges", "Retry-After", "Idempotency-Replayed",
    "RateLimit", "RateLimit-Policy", REQUEST_ID, *tus.SHOWN,
]  # fmt: skip


def build_app(
    settings: GatewaySettings | None = None,
    *,
    stages: Sequence[str] | None = None,
    handlers: Mapping[str, str] | None = None,
) -> FastAPI:
    """The app of the gateway.

    Parameters
    ----------
    settings : GatewaySettings, optional
        From the environment if not given.
    stages, handlers : optional
        As for `mesh.service.create_app`: what its worker runs, by default `split`.

    Raises
    ------
    pydantic.ValidationError
        If the settings cannot be used, e.g. other machines can reach it and there is no token.
    """
    settings = settings or GatewaySettings()
    made: dict[int, Gateway] = {}

    def gateway(runtime: Runtime | None = None) -> Gateway:
        runtime = runtime or app.state.runtime
        if id(runtime) not in made:
            made.clear()
            made[id(runtime)] = Gateway(runtime, settings)
        return made[id(runtime)]

    def component(run: Callable[[Gateway], Awaitable[None]]) -> Component:
        return lambda runtime: run(gateway(runtime))

    app = create_app(
        "gateway",
        settings,
        stages=stages,
        handlers=handlers,
        components=[
            component(lambda g: g.coordinator.run()),
            component(lambda g: g.publisher.run()),
            component(lambda g: g.dead_letters.run()),
            component(lambda g: g.sweeper.run()),
            component(lambda g: g.retention.run()),
            component(lambda g: g.webhooks.run()),
        ],
        call_modules=["gateway.clip", "gateway.picture"],
        title="Pulsemesh",
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=[
            {"name": "jobs", "description": "Submit clips and follow what happens to them"},
            {"name": "uploads", "description": "Clips in pieces: tus 1.0.0, any client of it works"},
            {"name": "results", "description": "Measurements and files"},
            {"name": "recordings", "description": "Clips that were uploaded"},
            {"name": "parameters", "description": "What can be set"},
        ],
    )
    app.state.gateway = gateway
    for module in (
        tus_api, jobs_api, measurements_api, results_api, recordings_api, links_api, webhooks_api, live_api,
        parameters_api, page_api, preview_api,
    ):  # fmt: skip
        app.include_router(module.router)
    problems.install(app, settings.retry_after_s)
    # the last one added is the outermost
    tokens = Tokens(settings.token_digests, settings.api_tokens_file)
    limits = RateLimits(
        Policy(SUBMISSIONS, settings.rate_submissions, 60.0), Policy(REQUESTS, settings.rate_requests, 60.0)
    )
    app.add_middleware(Guard, settings=settings, tokens=tokens, signer=lambda: gateway().signer, limits=limits)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "HEAD", "POST", "PATCH", "DELETE"],
            allow_headers=ASKED,
            expose_headers=SHOWN,
            max_age=600,
        )
    app.add_middleware(Exchange, metrics=lambda: gateway().metrics)
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        return problems.complete(plain(), jobs_api.SCHEMAS | preview_api.SCHEMAS)

    app.openapi = openapi  # type: ignore[method-assign]
    return app
