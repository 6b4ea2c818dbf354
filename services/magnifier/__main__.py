"""`python -m magnifier`: the service."""

from mesh.service import run

if __name__ == "__main__":
    run("magnifier")
