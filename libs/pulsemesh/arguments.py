"""Values given on the command line: `--set key=value` and the settings of a phantom, checked before anything starts."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mesh.parameters import Parameters

M = TypeVar("M", bound=BaseModel)


class ArgumentError(ValueError):
    """An argument that cannot be used; its text is one line for the user."""


def parse_value(text: str) -> Any:
    """What a value means: JSON where it is JSON, numbers with commas between them as a list, else the text itself.

    Examples
    --------
    >>> parse_value("2.5"), parse_value("true"), parse_value("chrom"), parse_value("320,240")
    (2.5, True, 'chrom', [320, 240])
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        pass
    if "," in text:
        try:
            return [json.loads(part, parse_constant=_no_constant) for part in text.split(",")]
        except ValueError:
            pass
    return text


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no value")  # NaN and Infinity are not JSON


def parse_settings(given: Iterable[str]) -> dict[str, Any]:
    """`key=value` words as a dictionary; the last of a key counts.

    Raises
    ------
    ArgumentError
        If a word has no key or no `=`.
    """
    found: dict[str, Any] = {}
    for word in given:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise ArgumentError(f"--set wants key=value, not {word!r}")
        found[key.strip()] = parse_value(value.strip())
    return found


def check(model: type[M], values: dict[str, Any]) -> M:
    """A model of the values.

    Raises
    ------
    ArgumentError
        If a key is unknown or a value out of range; names each, on one line.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        known = list(model.model_fields)
        said: list[str] = []
        for found in error.errors(include_url=False):
            where = str(found["loc"][0]) if found["loc"] else ""
            if found["type"] == "extra_forbidden":
                said.append(f"there is no parameter {where!r}{_did_you_mean(where, known)}")
            else:
                text = found["msg"].removeprefix("Value error, ")
                shown = f" (given: {values[where]!r})" if where in values else ""
                line = f"{where}: {text[:1].lower()}{text[1:]}{shown}" if where else text
                said.append(line)
        raise ArgumentError("; ".join(dict.fromkeys(said))) from None


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def job_parameters(settings: Iterable[str], chunk_seconds: float | None) -> dict[str, Any]:
    """The parameters of a job as they are sent: only what was given, so that presets fill the rest.

    Raises
    ------
    ArgumentError
        If `mesh.parameters.Parameters` does not take them.
    """
    values = parse_settings(settings)
    if chunk_seconds is not None:
        values["chunk_seconds"] = chunk_seconds
    check(Parameters, values)
    return values
