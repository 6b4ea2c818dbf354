"""A Ctrl-C that was swallowed where it came is raised again where we wait."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

SWALLOWED = """
import os, signal
from pulsemesh import interruption
interruption.listen()
interruption.check()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    pass  # as a destructor does
os.kill(os.getpid(), signal.SIGTERM)  # cleaning up is not disturbed
try:
    interruption.check()
except KeyboardInterrupt:
    print("raised again")
"""


def test_a_swallowed_interrupt_is_raised_again() -> None:
    ran = subprocess.run([sys.executable, "-c", SWALLOWED], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "raised again\n"
