"""The command `pulsemesh`: process a clip, keep a mesh up, evaluate a dataset, render a synthetic clip.

Exit status: 0 done (a refused measurement is a success), 1 the mesh or the gateway did not work, 2 bad input or
arguments, 3 the job failed, 130 interrupted. Messages go to stderr, results to stdout.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

from pulsemesh import interruption

# names of evaluation.datasets, here as well so that `--help` imports nothing heavy
DATASETS = ("ubfc1", "ubfc2", "pure", "cohface", "mmpd", "ubfc-phys", "scamps", "phantom", "fingertip")
DONE, BROKEN, BAD_INPUT, JOB_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


class _Parser(argparse.ArgumentParser):
    """One clear line instead of the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port is 0 to 65535")
    return number


def parser() -> argparse.ArgumentParser:
    """All commands and options."""
    top = _Parser(
        prog="pulsemesh",
        description="Finds the pulse in ordinary video of human skin and shows where it flows.",
        epilog="It shows and measures, it diagnoses nothing.",
    )
    top.add_argument("--version", action="version", version=f"pulsemesh {_version()}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    one = commands.add_parser("process", help="process a clip and write its results into a folder")
    one.add_argument("video", type=Path, metavar="VIDEO", help="the clip")
    one.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the results; made if missing")
    one.add_argument("--gateway", metavar="URL", help="a mesh that runs; without it one is started for this clip")
    one.add_argument("--token", help="API token of the gateway; or the variable PULSEMESH_TOKEN")
    one.add_argument("--workers", type=_positive, metavar="N", help="tasks of a stage at once (default: cores)")
    one.add_argument("--chunk-seconds", type=float, metavar="S", help="length of a chunk (default: 5)")
    one.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="a parameter of the job, e.g. gain=30, luma=true, skin_point=320,240; may be repeated",
    )  # fmt: skip
    one.add_argument("--json", action="store_true", dest="as_json", help="print result.json on stdout, nothing else")
    one.add_argument("--quiet", action="store_true", help="show no progress")
    one.add_argument("--truth", type=Path, metavar="FILE", help="what `phantom` wrote: shown beside the measurement")

    up = commands.add_parser("up", help="start a mesh on this machine and keep it up until Ctrl-C")
    up.add_argument("--host", default="127.0.0.1", help="address of the gateway; any but 127.0.0.1 needs an API token")
    up.add_argument("--port", type=_port, default=8080, help="port of the gateway, 0: any free one (default: 8080)")
    up.add_argument("--workers", type=_positive, metavar="N", help="tasks of a stage at once (default: cores)")
    up.add_argument("--store", type=Path, metavar="DIR", help="keep recordings here; without it they go with the mesh")

    score = commands.add_parser("evaluate", help="compare measurements with the truth of a dataset")
    add_evaluate_options(score)

    synthetic = commands.add_parser("phantom", help="render a synthetic clip whose pulse is known")
    synthetic.add_argument(
        "--out", type=Path, required=True, metavar="CLIP", help="the clip: .mp4, .mov, .mkv or .webm"
    )
    synthetic.add_argument("--truth", type=Path, metavar="JSON", help="where to write what is true of it; maps as .npz")
    synthetic.add_argument("--magnified", type=Path, metavar="CLIP", help="the ideal magnified clip, rendered as well")
    synthetic.add_argument(
        "--gain", type=float, default=30.0, metavar="G", help="its pulse is 1 + G times (default: 30)"
    )
    _add_phantom_options(synthetic)
    return top


def add_evaluate_options(command: argparse.ArgumentParser) -> None:
    """Options of `evaluate`."""
    command.add_argument("dataset", metavar="DATASET", choices=DATASETS, help=", ".join(DATASETS))
    command.add_argument("path", type=Path, metavar="PATH", help="its folder, laid out as it was published")
    command.add_argument(
        "--window", type=float, metavar="S",
        help="length of the windows that are compared, 0: whole recordings (default: 10, fingertip 30)",
    )  # fmt: skip
    command.add_argument("--json", action="store_true", dest="as_json", help="print the figures as JSON, nothing else")
    command.add_argument("--out", type=Path, metavar="DIR", help="write table, windows and plots there")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="a parameter of the measurement, e.g. method=chrom; may be repeated",
    )  # fmt: skip
    command.add_argument("--cache", type=Path, metavar="DIR", help="keep what was read from the pictures there")
    command.add_argument("--gateway", metavar="URL", help="a mesh that measures; without it this process does")
    command.add_argument("--token", help="API token of the gateway; or the variable PULSEMESH_TOKEN")
    command.add_argument("--quiet", action="store_true", help="show no progress")


def _version() -> str:
    try:
        return version("pulsemesh")
    except PackageNotFoundError:
        return "unknown"


def _add_phantom_options(command: argparse.ArgumentParser) -> None:
    from phantom.settings import PhantomSettings

    for name, option in PhantomSettings.model_fields.items():
        extra = option.json_schema_extra if isinstance(option.json_schema_extra, dict) else {}
        unit = f", {extra['unit']}" if "unit" in extra else ""
        default = f" (default: {option.default}{unit})" if option.default is not None else unit
        flag = f"--{name.replace('_', '-')}"
        text = f"{option.description}{default}".replace("%", "%%")
        if option.annotation is bool:
            command.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=text)
        else:
            command.add_argument(flag, metavar="VALUE", help=text)


def _process(given: argparse.Namespace) -> int:
    from pulsemesh.arguments import ArgumentError, job_parameters
    from pulsemesh.process import Request, process

    if given.gateway is not None and given.workers is not None:
        raise ArgumentError("--workers is for the embedded mesh, not for --gateway")
    if given.gateway is not None and not given.gateway.startswith(("http://", "https://")):
        raise ArgumentError(f"--gateway wants an address like http://127.0.0.1:8080, not {given.gateway!r}")
    request = Request(
        video=given.video,
        out=given.out,
        parameters=job_parameters(given.settings, given.chunk_seconds),
        gateway=given.gateway,
        token=given.token or os.environ.get("PULSEMESH_TOKEN"),
        workers=given.workers,
        as_json=given.as_json,
        quiet=given.quiet,
        truth=given.truth,
    )
    process(request)
    return DONE


def _up(given: argparse.Namespace) -> int:
    from pulsemesh.embedded import EmbeddedMesh
    from pulsemesh.process import wait_until_interrupted

    mesh = EmbeddedMesh(given.workers, store=given.store, host=given.host, port=given.port)
    try:
        with mesh:
            print(f"Pulsemesh {_version()} is up at {mesh.url} (after {mesh.start_seconds:.1f} s)", flush=True)
            print(f"  pulsemesh process clip.mp4 --out results/ --gateway {mesh.url}", flush=True)
            print("Ctrl-C stops it.", flush=True)
            wait_until_interrupted(mesh)
    except KeyboardInterrupt:
        if not mesh.url:
            raise
    return DONE  # being stopped is how it ends


def _phantom(given: argparse.Namespace) -> int:
    from phantom.settings import PhantomSettings
    from pulsemesh.arguments import check, parse_value
    from pulsemesh.synthetic import render_clip

    values: dict[str, Any] = {
        name: parse_value(value) if isinstance(value, str) else value
        for name in PhantomSettings.model_fields
        if (value := getattr(given, name)) is not None
    }
    settings = check(PhantomSettings, values)
    truth = render_clip(settings, given.out, given.truth, given.magnified, given.gain)
    rate = ", ".join(f"{p.mean_heart_rate or p.heart_rate[0]:.4g} bpm" for p in truth.people) or "none"
    print(f"{given.out}: {settings.seconds:g} s, {settings.width}x{settings.height}, pulse {rate}")
    return DONE


def _evaluate(given: argparse.Namespace) -> int:
    from pulsemesh.arguments import ArgumentError, job_parameters
    from pulsemesh.evaluate import EvaluationRequest, evaluate_dataset

    if given.gateway is not None and not given.gateway.startswith(("http://", "https://")):
        raise ArgumentError(f"--gateway wants an address like http://127.0.0.1:8080, not {given.gateway!r}")
    request = EvaluationRequest(
        dataset=given.dataset,
        path=given.path,
        window_s=given.window,
        parameters=job_parameters(given.settings, None),
        out=given.out,
        cache=given.cache,
        gateway=given.gateway,
        token=given.token or os.environ.get("PULSEMESH_TOKEN"),
        as_json=given.as_json,
        quiet=given.quiet,
    )
    evaluate_dataset(request)
    return DONE


COMMANDS = {"process": _process, "up": _up, "evaluate": _evaluate, "phantom": _phantom}


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with its status."""
    given = parser().parse_args(arguments)
    interruption.listen()
    sys.exit(_run(given))


def _run(given: argparse.Namespace) -> int:
    # heavy imports come after the signal handlers, so that an early Ctrl-C ends quietly as well
    try:
        from pulsemesh.arguments import ArgumentError
        from pulsemesh.broker import BrokerError
        from pulsemesh.embedded import EmbeddedMeshError
        from pulsemesh.process import JobFailed
        from pulsemesh_client import Damaged, Refused, Unreachable
    except KeyboardInterrupt:
        return INTERRUPTED
    try:
        return COMMANDS[given.command](given)
    except ArgumentError as error:
        return _say(error, BAD_INPUT)
    except Refused as error:
        return _say(error, BAD_INPUT if 400 <= error.status < 500 and error.status != 429 else BROKEN)
    except JobFailed as error:
        return _say(error, JOB_FAILED)
    except (Unreachable, Damaged, EmbeddedMeshError, BrokerError) as error:
        return _say(error, BROKEN)
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        print("pulsemesh: interrupted", file=sys.stderr)
        return INTERRUPTED


def _say(error: Exception, status: int) -> int:
    print(f"pulsemesh: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
