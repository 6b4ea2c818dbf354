"""`python -m gateway`: the service. Settings that are not safe are refused before anything listens."""

import sys

from pydantic import ValidationError

from gateway.app import build_app
from gateway.settings import GatewaySettings
from mesh.service import run

if __name__ == "__main__":
    try:
        settings = GatewaySettings()
    except ValidationError as error:
        for found in error.errors(include_url=False, include_input=False):
            name = f"PULSEMESH_{'_'.join(map(str, found['loc'])).upper()}: " if found["loc"] else ""
            print(f"gateway: {name}{str(found['msg']).removeprefix('Value error, ')}", file=sys.stderr)
        sys.exit(2)
    run("gateway", build_app(settings))
