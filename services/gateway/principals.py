"""Who asks: a tenant with scopes, found by the SHA-256 of a token."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from mesh.errors import MissingScope

LOCAL = "local"  # the tenant of a gateway that has one
_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
LOOK_EVERY_S = 1.0  # how soon a changed file of tokens counts


class Scope(StrEnum):
    """What a token is good for."""

    READ = "read"  # jobs, events, results, files
    WRITE = "write"  # uploads, jobs, cancelling them
    ERASE = "erase"  # recordings
    LIVE = "live"  # live sessions


ALL = frozenset(Scope)


@dataclass(frozen=True)
class Principal:
    """Who asks.

    Attributes
    ----------
    tenant : str
        Only what belongs to it exists for whoever asks.
    scopes : frozenset of Scope
    limited : bool
        Whether rate limits count: not on a gateway without tokens, where only this machine may ask.
    """

    tenant: str = LOCAL
    scopes: frozenset[Scope] = ALL
    limited: bool = False

    def require(self, scope: Scope) -> None:
        """Raise MissingScope unless this is one of its scopes."""
        if scope not in self.scopes:
            raise MissingScope(f"the scope {scope.value!r} is missing")


class TokenEntry(BaseModel):
    """One token of the file of tokens; never the token itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="Of the token, in hexadecimal")]
    tenant: str
    scopes: frozenset[Scope] = ALL

    @field_validator("tenant")
    @classmethod
    def _check_tenant(cls, tenant: str) -> str:
        if not _TENANT.match(tenant):
            raise ValueError("a tenant is a-z, 0-9 and -, at most 63 characters")
        return tenant


_ENTRIES = TypeAdapter(list[TokenEntry])


def read_tokens(path: Path) -> list[TokenEntry]:
    """The entries of a file of tokens: a JSON list.

    Raises
    ------
    ValueError
        If it cannot be read, or is none.
    """
    try:
        return _ENTRIES.validate_python(json.loads(path.read_text("utf-8")), strict=False)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{path}: {'/'.join(map(str, found['loc']))}: {found['msg']}") from None
    except ValueError:
        raise ValueError(f"{path} is not JSON") from None


class Tokens:
    """The tokens that are accepted. A file of them is read again when it changes, so that one can be revoked.

    Parameters
    ----------
    digests : iterable of str
        SHA-256 of tokens of the tenant `local`, with all scopes.
    path : Path, optional
        File of more tokens, see `TokenEntry`.

    Raises
    ------
    ValueError
        If the file cannot be used.
    """

    def __init__(self, digests: Iterable[str] = (), path: Path | None = None) -> None:
        self._fixed = [TokenEntry(sha256=digest, tenant=LOCAL) for digest in digests]
        self._path = path
        self._changed: tuple[int, int] | None = None
        self._looked = 0.0
        self._more: list[TokenEntry] = []
        if path is not None:
            self._more = read_tokens(path)
            self._changed = self._stamp(path)

    @property
    def needed(self) -> bool:
        """Whether whoever asks needs one."""
        return bool(self._fixed) or self._path is not None

    def _stamp(self, path: Path) -> tuple[int, int] | None:
        try:
            found = path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _look_again(self) -> None:
        if self._path is None or time.monotonic() - self._looked < LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        stamp = self._stamp(self._path)
        if stamp == self._changed:
            return
        try:
            self._more = read_tokens(self._path)
        except ValueError:
            self._more = []  # a file that cannot be read opens nothing
        self._changed = stamp

    def find(self, header: str | None) -> Principal | None:
        """Whose token an `Authorization` header holds, None if nobody's. Compares in constant time."""
        self._look_again()
        scheme, _, token = (header or "").partition(" ")
        offered = hashlib.sha256(token.strip().encode()).hexdigest()
        found: TokenEntry | None = None
        for entry in (*self._fixed, *self._more):
            if hmac.compare_digest(offered, entry.sha256):
                found = entry
        if found is None or scheme.lower() != "bearer":
            return None
        return Principal(found.tenant, found.scopes, limited=True)
