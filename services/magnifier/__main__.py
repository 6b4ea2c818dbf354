"""`python -m magnifier`: the service. Its `/info` and its first log line say what it computes maps with."""

from media.arrays import array_backend
from mesh.service import create_app, run

if __name__ == "__main__":
    run("magnifier", create_app("magnifier", info=lambda: {"arrays": array_backend()}))
