"""What can be wrong with a dataset or its evaluation; the texts are for users."""

from __future__ import annotations


class EvaluationError(Exception):
    """The evaluation cannot be done; the text is one line that says why and what would help."""


class DatasetError(EvaluationError):
    """The folder is not laid out as the dataset was published, or a file of it cannot be read."""
