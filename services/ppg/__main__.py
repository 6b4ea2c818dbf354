"""`python -m ppg`: the service. Its `/info` and its first log line say what it computes with."""

from media.arrays import array_backend
from mesh.service import create_app, run
from ppg.live_answers import answer_live

if __name__ == "__main__":
    run("ppg", create_app("ppg", components=[answer_live], info=lambda: {"arrays": array_backend()}))
