"""How far a job is, derived from the job, its plan and the blobs that exist: nothing of it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mesh.contracts import Job, JobView, Plan, StageProgress, State
from mesh.graph import MAKER, STAGES, Stage, digest

Times = Mapping[str, datetime]  # names of blobs, and when each was committed


class _Names:
    """The names of a job's blobs as text; a name is asked for thousands of times."""

    def __init__(self, job: Job) -> None:
        self._parameters, self._recording = job.parameters, job.recording
        self._prefixes: dict[str, str] = {"upload": f"{job.recording}/upload/0/"}

    def prefix(self, kind: str) -> str:
        """Everything of one kind."""
        if kind not in self._prefixes:
            self._prefixes[kind] = f"{self._recording}/{kind}/{digest(MAKER[kind], self._parameters)}/"
        return self._prefixes[kind]

    def of(self, kind: str, index: int) -> str:
        """One blob."""
        return f"{self.prefix(kind)}{index}"


def state(job: Job, plan: Plan | None, names: Times) -> State:
    """What a client sees of a job.

    Parameters
    ----------
    job : Job
    plan : Plan or None
        None as long as the clip is not split.
    names : mapping of str to datetime
        Blobs of the recording that exist, and when they were committed.
    """
    if job.outcome is not None:
        return State(job.outcome.value)
    if plan is not None:
        return State.PROCESSING
    chunks = _Names(job).prefix("chunk")
    return State.SPLITTING if any(name.startswith(chunks) for name in names) else State.QUEUED


def progress(job: Job, plan: Plan | None, names: Times) -> list[StageProgress]:
    """How far each stage of a job is, in the order of the graph.

    A stage began when the inputs of its first task were there, and ended with the last of its blobs; a stage that
    an earlier job had made whole has no times.

    Parameters
    ----------
    job, plan, names
        As for `state`.

    Returns
    -------
    list of StageProgress
        Of an ended job whose plan is not kept any more: empty, because nothing is known.
    """
    if plan is None and job.outcome is not None:
        return [_split(job, names)] if _Names(job).of("upload", 0) in names else []
    return [
        _split(job, names),
        *(
            _stage(job, stage, plan, names)
            for stage in STAGES.values()
            if stage.name != "split" and stage.wanted(job.parameters)
        ),
    ]


def _split(job: Job, names: Times) -> StageProgress:
    named = _Names(job)
    plan, upload = names.get(named.of("plan", 0)), names.get(named.of("upload", 0))
    reused = plan is not None and plan < job.created_at
    return StageProgress(
        stage="split",
        done=int(plan is not None),
        total=1,
        reused=int(reused),
        started_at=None if upload is None or reused else max(upload, job.created_at),
        finished_at=None if reused else plan,
    )


def _stage(job: Job, stage: Stage, plan: Plan | None, names: Times) -> StageProgress:
    if plan is None:
        return StageProgress(stage=stage.name, done=0, total=None if stage.scatter else 1)
    named = _Names(job)
    total = len(plan.chunks) if stage.scatter else 1
    made = [when for index in range(total) if (when := names.get(named.of(stage.kind, index))) is not None]
    reused = sum(when < job.created_at for when in made)
    started = None
    if reused < total:
        ready = (_ready(job, stage, plan, names, named, index) for index in range(total))
        began = [when for when in ready if when is not None]
        started = max(min(began), job.created_at) if began else None
    ended = len(made) == total and reused < total
    return StageProgress(
        stage=stage.name,
        done=len(made),
        total=total,
        reused=reused,
        started_at=started,
        finished_at=max(made) if ended else None,
    )


def _ready(job: Job, stage: Stage, plan: Plan, names: Times, named: _Names, index: int) -> datetime | None:
    """When the last input of a task was there; None where the task was done before, or one is not there yet."""
    own = names.get(named.of(stage.kind, index))
    if own is not None and own < job.created_at:
        return None
    latest: datetime | None = None
    for kind, number in stage.inputs(plan, job.parameters, index):
        when = names.get(named.of(kind, number))
        if when is None:
            return None
        latest = when if latest is None else max(latest, when)
    return latest


def job_view(
    job: Job,
    plan: Plan | None,
    names: Times,
    *,
    expires_at: datetime | None = None,
    links: Mapping[str, str] | None = None,
) -> JobView:
    """A job as the API shows it.

    Parameters
    ----------
    job, plan, names
        As for `state`.
    expires_at : datetime, optional
        When its result is removed.
    links : mapping of str to str, optional
        Addresses by name.
    """
    return JobView(
        id=job.id,
        recording=job.recording,
        state=state(job, plan, names),
        parameters=job.parameters,
        progress=progress(job, plan, names),
        created_at=job.created_at,
        finished_at=job.finished_at,
        expires_at=expires_at,
        problem=job.problem,
        links=dict(links or {}),
    )


def uses(job: Job) -> set[str]:
    """Prefixes `<recording>/<kind>/<digest>` of everything that a job may have: its upload, blobs and failures."""
    named = _Names(job)
    kinds = {named.prefix(kind).rstrip("/") for kind in ("upload", *MAKER)}
    return kinds | {f"{job.recording}/failure/{digest(stage, job.parameters)}" for stage in STAGES}


def unused(job: Job, others: list[Job]) -> set[str]:
    """Of what `job` uses, what none of `others` does: to be removed with it."""
    return uses(job).difference(*(uses(other) for other in others))
