"""Weights of SAM 3: a folder, or a hub id with the user's own token. Checked before anything is loaded.

Meta passes the weights on under its own licence, to people who accepted it; they are never part of an image.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesh.errors import MissingWeights
from segmenter.sam3.settings import Sam3Settings

HUB_ID = "facebook/sam3"
STEPS = (
    f"Either: accept the licence at https://huggingface.co/{HUB_ID}, make a token for reading, and start with "
    f"SAM3_WEIGHTS={HUB_ID} and HF_TOKEN=<token>. Or: mount a folder with config.json, model.safetensors and the "
    "tokenizer's files, and name it in SAM3_WEIGHTS. See docs/sam3.md."
)
MODEL_TYPES = frozenset({"sam3", "sam3_video"})  # of config.json: the image model alone, or with the tracker
_SAMPLE = 1 << 20
_HUB = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$", re.ASCII)
_FILES = ["*.json", "*.safetensors", "*.txt"]  # neither pickles, which run code, nor Meta's own checkpoint


@dataclass(frozen=True)
class Weights:
    """Weights that are there and complete.

    Attributes
    ----------
    folder : Path
        Holds config.json, one or more *.safetensors, and the tokenizer.
    model_type : str
        "sam3" or "sam3_video"; only the latter holds the tracker.
    """

    folder: Path
    model_type: str


def require_libraries() -> None:
    """See that `torch` and `transformers` can be imported, without importing them.

    Raises
    ------
    MissingWeights
        If one is not installed.
    """
    absent = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if absent:
        raise MissingWeights(
            f"SAM 3 needs {' and '.join(absent)}, which this installation lacks",
            hint="Install the extra `sam3`, or use the image of services/segmenter/Dockerfile.gpu.",
        )


def find_weights(settings: Sam3Settings) -> Weights:
    """Find the weights that the settings name, and see that they are complete.

    A hub id is taken from the local cache where it lies there already, else it is downloaded.

    Parameters
    ----------
    settings : Sam3Settings
        `weights`, `revision` and `token`.

    Returns
    -------
    Weights

    Raises
    ------
    MissingWeights
        If nothing is named, the folder is absent or incomplete, or the hub does not hand them out. The hint says
        what to do.
    """
    named = (settings.weights or "").strip()
    if not named:
        raise MissingWeights("SAM3_WEIGHTS is not set", hint=STEPS)
    folder = Path(named).expanduser()
    if folder.is_dir():
        return check_folder(folder)
    if folder.is_file():
        raise MissingWeights(f"SAM3_WEIGHTS names a file, {folder.name}, wanted a folder or a hub id", hint=STEPS)
    if not _HUB.match(named):
        raise MissingWeights(f"SAM3_WEIGHTS={named} is neither a folder that exists nor a hub id", hint=STEPS)
    return check_folder(_from_hub(named, settings))


def fingerprint(folder: Path) -> str:
    """Which weights these are: 12 hexadecimal digits of their names, sizes and samples of their bytes.

    Samples, because all of it is gigabytes: the first and the last MiB of each file and 64 places between.
    """
    found = hashlib.sha256()
    for path in sorted([folder / "config.json", *folder.glob("*.safetensors")]):
        size = path.stat().st_size
        found.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            for start in sorted({0, max(size - _SAMPLE, 0), *range(0, size, max(size // 64, _SAMPLE))}):
                file.seek(start)
                found.update(file.read(_SAMPLE))
    return found.hexdigest()[:12]


def check_folder(folder: Path) -> Weights:
    """See that a folder holds what `transformers` needs of SAM 3.

    Raises
    ------
    MissingWeights
        Naming the first thing that is absent or of another kind.
    """
    names = {path.name for path in folder.iterdir()}
    if "config.json" not in names:
        own = "; sam3.pt alone is Meta's own form, wanted is the one of transformers" if "sam3.pt" in names else ""
        raise MissingWeights(f"{folder} has no config.json{own}", hint=STEPS)
    try:
        config: Any = json.loads((folder / "config.json").read_text())
        model_type = config["model_type"]
    except (ValueError, KeyError, TypeError):
        raise MissingWeights(f"{folder}/config.json does not describe a model", hint=STEPS) from None
    if model_type not in MODEL_TYPES:
        raise MissingWeights(f"{folder} holds a model of type {model_type}, wanted sam3 or sam3_video", hint=STEPS)
    missing = _missing_files(folder, names)
    if missing:
        raise MissingWeights(f"{folder} has no {missing}", hint=STEPS)
    return Weights(folder, str(model_type))


def _missing_files(folder: Path, names: set[str]) -> str | None:
    """The first file that is absent, by name or kind."""
    if "model.safetensors.index.json" in names:
        index = json.loads((folder / "model.safetensors.index.json").read_text())
        absent = sorted(set(index.get("weight_map", {}).values()) - names)
        if absent:
            return str(absent[0])
    elif not any(name.endswith(".safetensors") for name in names):
        return "*.safetensors"
    if "tokenizer.json" not in names and not {"vocab.json", "merges.txt"} <= names:
        return "tokenizer.json (or vocab.json and merges.txt)"
    return None


def _from_hub(name: str, settings: Sam3Settings) -> Path:
    """The folder of a hub id in the local cache, downloaded first where it is not there."""
    require_libraries()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted: dict[str, Any] = {"repo_id": name, "revision": settings.revision, "allow_patterns": _FILES}
    try:
        return Path(snapshot_download(**wanted, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError):
        pass
    token = settings.token.get_secret_value() if settings.token is not None else None
    try:
        return Path(snapshot_download(**wanted, token=token))
    except HfHubHTTPError as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        why = {
            401: "they are gated, and the token is absent or wrong",
            403: "they are gated, and this account has not been let in",
            404: "there is no such repository or revision",
        }.get(status or 0, f"the hub answered {status}" if status else "the hub cannot be reached")
        raise MissingWeights(f"{name} could not be downloaded: {why}", hint=STEPS) from error
    except (OSError, ValueError) as error:  # no network, no room, offline mode
        raise MissingWeights(
            f"{name} is not in the local cache and could not be downloaded: {type(error).__name__}", hint=STEPS
        ) from error
