"""Rate limits of a tenant: a token bucket each, and the headers that tell a client how it stands.

Headers after draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy: "requests";q=<quota>;w=<window>` and
`RateLimit: "requests";r=<remaining>;t=<seconds until all of it is back>`.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

BUCKETS = 10_000  # tenants that are remembered; whoever was away longest begins anew


@dataclass(frozen=True)
class Policy:
    """How much is allowed: `quota` requests in `window_s` seconds; a quota of 0 allows everything."""

    name: str
    quota: int
    window_s: float


@dataclass(frozen=True)
class Standing:
    """What a request found.

    Attributes
    ----------
    allowed : bool
    remaining : int
        Requests that would be allowed now.
    reset_s : float
        Seconds until the whole quota is back.
    retry_s : float
        Seconds until one request is allowed; 0 if one is now.
    """

    policy: Policy
    allowed: bool
    remaining: int
    reset_s: float
    retry_s: float

    def headers(self) -> dict[str, str]:
        """What the client is told."""
        name, policy = self.policy.name, self.policy
        found = {
            "RateLimit-Policy": f'"{name}";q={policy.quota};w={math.ceil(policy.window_s)}',
            "RateLimit": f'"{name}";r={self.remaining};t={math.ceil(self.reset_s)}',
        }
        if not self.allowed:
            found["Retry-After"] = str(max(1, math.ceil(self.retry_s)))
        return found


class RateLimits:
    """The buckets of one gateway. Each gateway counts for itself."""

    def __init__(self, *policies: Policy) -> None:
        self._policies = {policy.name: policy for policy in policies}
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, name: str, tenant: str, now: float) -> Standing | None:
        """Count one request; None where there is no limit.

        Parameters
        ----------
        name : str
            Of the policy.
        now : float
            Seconds of a clock that never goes back.
        """
        policy = self._policies[name]
        if not policy.quota:
            return None
        level, since = self._buckets.pop((name, tenant), (float(policy.quota), now))
        rate = policy.quota / policy.window_s
        level = min(float(policy.quota), level + (now - since) * rate)
        allowed = level >= 1
        level -= 1 if allowed else 0
        self._buckets[name, tenant] = (level, now)
        while len(self._buckets) > BUCKETS:
            self._buckets.popitem(last=False)
        retry = 0.0 if level >= 1 else (1 - level) / rate
        return Standing(policy, allowed, int(level), (policy.quota - level) / rate, retry)
