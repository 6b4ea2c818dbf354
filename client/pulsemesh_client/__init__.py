"""Client of a Pulsemesh gateway. It shows and measures, it diagnoses nothing."""

from pulsemesh_client.async_client import AsyncClient
from pulsemesh_client.client import Client
from pulsemesh_client.errors import (
    AccessRefused,
    Damaged,
    MeshFailed,
    Problem,
    PulsemeshError,
    RecordingRefused,
    Refused,
    RequestRefused,
    TryLater,
    Unreachable,
    WaitTimeout,
)
from pulsemesh_client.flows import Patience
from pulsemesh_client.models import (
    File,
    Job,
    Link,
    Measurement,
    Person,
    RatePoint,
    RecordingInfo,
    Result,
    Signal,
    StageProgress,
)
from pulsemesh_client.waves import Waves

__all__ = [
    "AccessRefused",
    "AsyncClient",
    "Client",
    "Damaged",
    "File",
    "Job",
    "Link",
    "Measurement",
    "MeshFailed",
    "Patience",
    "Person",
    "Problem",
    "PulsemeshError",
    "RatePoint",
    "RecordingInfo",
    "RecordingRefused",
    "Refused",
    "RequestRefused",
    "Result",
    "Signal",
    "StageProgress",
    "TryLater",
    "Unreachable",
    "WaitTimeout",
    "Waves",
]
