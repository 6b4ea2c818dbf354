"""The datasets that can be evaluated, by name; their licences ask that they are obtained from their authors."""

from __future__ import annotations

from pathlib import Path

from evaluation.datasets.cohface import COHFACE
from evaluation.datasets.fingertip import FINGERTIP
from evaluation.datasets.mmpd import MMPD
from evaluation.datasets.phantom import PHANTOM
from evaluation.datasets.pure import PURE
from evaluation.datasets.scamps import SCAMPS
from evaluation.datasets.ubfc import UBFC1, UBFC2
from evaluation.datasets.ubfc_phys import UBFC_PHYS
from evaluation.errors import DatasetError
from evaluation.recordings import Dataset

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset for dataset in (UBFC1, UBFC2, PURE, COHFACE, MMPD, UBFC_PHYS, SCAMPS, PHANTOM, FINGERTIP)
}

__all__ = ["DATASETS", "items"]


def items(dataset: Dataset, path: Path) -> list[Path]:
    """What of a folder holds a recording of the dataset.

    Raises
    ------
    DatasetError
        If there is no such folder or nothing in it looks like the dataset.
    """
    if not path.is_dir():
        raise DatasetError(f"there is no folder {path}")
    found = dataset.find(path)
    if not found:
        raise DatasetError(f"{path} does not look like {dataset.title}: expected {dataset.layout}")
    return found
