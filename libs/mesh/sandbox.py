"""Limits of a child process: what a decoder that was taken over, or ran wild, cannot do.

Address space is not limited: under 2 GiB imports fail, and CUDA works under no such limit at all. The parent watches
the resident size instead.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded here: nothing is loaded between a fork and its program
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
OPEN_FILES = 1024


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (limit, limit))


def die_with_parent(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """End when the parent does, however it ends. For a child itself, or between its fork and its program.

    The kernel ends it together with the thread that started it.

    Parameters
    ----------
    parent : int
        Process id of the parent.
    number : signal.Signals
        What the kernel sends.

    Raises
    ------
    SystemExit
        If it has ended already.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        raise SystemExit(1)


def leave_network() -> bool:
    """Move into a network namespace with no way out, not even to this machine; whether the kernel let us.

    Needs the right to make namespaces; else a user namespace of our own, which has to happen before any thread starts.
    """
    if _LIBC.unshare(_CLONE_NEWNET) == 0:
        return True
    user, group = os.getuid(), os.getgid()
    if _LIBC.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    with contextlib.suppress(OSError):  # keep our numbers, so that files show their owner
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


def limit(*, file_bytes: int, network: bool = False) -> bool:
    """Limit this process for good: no core dumps (they show people), no huge files, no new rights, no network.

    Returns
    -------
    bool
        Whether the network is out of reach.
    """
    _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, file_bytes)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit is an OSError, not a death
    return False if network else leave_network()


def allow_cpu(seconds: float) -> None:
    """Allow this process `seconds` more of processor time; above them it is killed."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
