"""What a failure is, and the RFC 9457 problem that it becomes."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

PROBLEM_BASE = "https://pulsemesh.dev/problems/"


class Problem(BaseModel):
    """An RFC 9457 problem."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="A stable identifier: the base address and the slug of the failure")
    title: str = Field(description="What kind of failure it is")
    status: int = Field(description="The HTTP status that belongs to it")
    detail: str = Field(description="What happened this time")
    hint: str | None = Field(default=None, description="What to do about it")
    retryable: bool = Field(default=False, description="Whether the same request may succeed later")
    instance: str | None = Field(default=None, description="The request or the task that failed")
    errors: list[dict[str, Any]] | None = Field(default=None, description="The fields at fault, as JSON pointers")

    @property
    def slug(self) -> str:
        """The last part of `type`."""
        return self.type.rsplit("/", 1)[-1]


class Failure(Exception):
    """Base of all failures.

    Attributes
    ----------
    status, slug, title, retryable : of the class
        HTTP status, stable identifier, short name, whether the same work may succeed later.
    recording_at_fault : bool
        True where the recording itself can never work. Failures for another cause (memory, time) are
        cleared when a new job asks for the same recording.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"
    retryable: ClassVar[bool] = False
    recording_at_fault: ClassVar[bool] = False
    default_hint: ClassVar[str | None] = None

    def __init__(
        self, detail: str = "", *, hint: str | None = None, errors: list[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.hint = hint or self.default_hint
        self.errors = errors

    def __reduce__(self) -> tuple[Any, ...]:  # crosses process boundaries whole
        return _rebuild, (type(self), self.detail, self.hint, self.errors)

    def problem(self, instance: str | None = None) -> Problem:
        """This failure as an RFC 9457 problem."""
        return Problem(
            type=PROBLEM_BASE + self.slug,
            title=self.title,
            status=self.status,
            detail=self.detail,
            hint=self.hint,
            retryable=self.retryable,
            instance=instance,
            errors=self.errors,
        )


def _rebuild(cls: type[Failure], detail: str, hint: str | None, errors: list[dict[str, Any]] | None) -> Failure:
    return cls(detail, hint=hint, errors=errors)
