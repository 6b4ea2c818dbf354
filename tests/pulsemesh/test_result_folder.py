"""Results come whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from pulsemesh.arguments import ArgumentError
from pulsemesh.result_folder import ResultFolder

pytestmark = pytest.mark.unit


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "results"
    with ResultFolder(target) as results:
        (results.folder / "pulse.csv").write_text("csv")
        (results.folder / "result.json").write_text("{}")
        assert not target.exists()
        files = results.commit()
    assert [path.name for path in files] == ["result.json", "pulse.csv"]
    assert names(tmp_path) == {"a", "a/b", "a/b/results", "a/b/results/result.json", "a/b/results/pulse.csv"}
    umask = os.umask(0)
    os.umask(umask)
    assert target.stat().st_mode & 0o777 == 0o777 & ~umask


def test_nothing_is_left_without_commit(tmp_path: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), ResultFolder(tmp_path / "a" / "b" / "results") as results:
        (results.folder / "magnified.mp4").write_text("half")
        raise KeyboardInterrupt
    assert names(tmp_path) == set()


def test_an_old_result_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "results"
    target.mkdir()
    for name in ("result.json", "magnified.mp4", "notes.txt"):
        (target / name).write_text("old")
    with contextlib.suppress(RuntimeError), ResultFolder(target) as results:
        (results.folder / "result.json").write_text("new")
        raise RuntimeError
    assert (target / "result.json").read_text() == "old"
    with ResultFolder(target) as results:
        (results.folder / "result.json").write_text("new")
        results.commit()
    assert (target / "result.json").read_text() == "new"
    # the new result has no magnified clip: the old one does not belong to it; what is not ours stays
    assert names(tmp_path) == {"results", "results/result.json", "results/notes.txt"}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match="is a file"):
        ResultFolder(tmp_path / "file")
    with pytest.raises(ArgumentError, match="cannot be written"), ResultFolder(tmp_path / "file" / "results"):
        pass
    assert names(tmp_path) == {"file"}
