"""Sums, warp and equations on a device: nothing is mixed with the host's arrays, and what is found stays the same.

Where there is no GPU, a stand-in takes CuPy's place in the seam `media.arrays`: arrays that NumPy computes but that
refuse, as CuPy's do, to meet one of NumPy's own or to become one unasked.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.ndimage

from magnifier.canonical_frame import canonical_samples
from magnifier.maps import lockin
from magnifier.maps.chunk_sums import Gathered, PersonSums, sum_chunk, sums_to_bytes, timing
from magnifier.maps.fields import Fields, fields
from magnifier.maps.lockin import without_baseline
from media import arrays
from media.color import rgb_from_yuv

# What of CuPy (14.2) the stand-in has; a name that is missing here was looked up in no CuPy yet.
ALLOWED = frozenset({
    "add", "arange", "array", "array_equal", "ascontiguousarray", "asarray", "clip", "empty", "floor", "full",
    "matmul", "maximum", "minimum", "multiply", "pad", "sqrt", "stack", "subtract", "tensordot", "where", "zeros",
})  # fmt: skip
METHODS = frozenset({
    "astype", "copy", "item", "max", "mean", "min", "ravel", "reshape", "sum", "swapaxes", "take", "transpose", "view",
})  # fmt: skip
UNARY = ("neg", "invert")
BINARY = (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "pow",
    "and_",
    "or_",
    "rshift",
    "matmul",
    "eq",
    "ge",
    "gt",
    "le",
    "lt",
)
SCALARS = (int, float, complex, np.generic)


def opened(value: Any) -> Any:
    """The stand-in's arrays as NumPy's; NumPy's own are refused."""
    if isinstance(value, ndarray):
        return value.held
    if isinstance(value, np.ndarray):
        raise TypeError("an array of the host meets one of the device")
    if isinstance(value, list | tuple):
        return type(value)(opened(part) for part in value)
    return value


def closed(value: Any) -> Any:
    return ndarray(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value


class ndarray:
    """An array on the device that is none."""

    __array_ufunc__ = None  # NumPy's arrays and scalars leave operations to this class
    operations = 0

    def __init__(self, held: np.ndarray) -> None:
        self.held = held

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def get(self) -> np.ndarray:
        return self.held.copy()

    def __getattr__(self, name: str) -> Any:
        if name in ("shape", "dtype", "ndim", "size"):
            return getattr(self.held, name)
        if name in ("T", "real", "imag"):
            return ndarray(getattr(self.held, name))
        if name in METHODS:
            return lambda *a, **k: closed(getattr(self.held, name)(*opened(a), **{n: opened(v) for n, v in k.items()}))
        raise AttributeError(name)

    def __getitem__(self, place: Any) -> Any:
        return closed(self.held[index_of(place)])

    def __setitem__(self, place: Any, value: Any) -> None:
        self.held[index_of(place)] = opened(value)

    def __len__(self) -> int:
        return len(self.held)

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.held)

    def __float__(self) -> float:
        return float(self.held)


def index_of(place: Any) -> Any:
    """CuPy takes NumPy's arrays as indices."""
    parts = place if isinstance(place, tuple) else (place,)
    opened_parts = tuple(part.held if isinstance(part, ndarray) else part for part in parts)
    return opened_parts if isinstance(place, tuple) else opened_parts[0]


def operation(name: str, kind: str) -> Callable[..., Any]:
    computed = getattr(operator, ("i" + name.rstrip("_")) if kind == "in place" else name)

    def of(self: Any, *other: Any) -> Any:
        if other and not isinstance(other[0], (ndarray, *SCALARS)):
            raise TypeError(f"{name} of the device's array and {type(other[0])}")
        ndarray.operations += 1
        values = (self.held, *opened(other))
        if kind == "in place":
            self.held = computed(*values)
            return self
        return closed(computed(*(reversed(values) if kind == "right" else values)))

    return of


for _name in BINARY:
    _plain = _name.rstrip("_")
    setattr(ndarray, f"__{_plain}__", operation(_name, "left"))
    if _name not in ("eq", "ge", "gt", "le", "lt"):
        setattr(ndarray, f"__r{_plain}__", operation(_name, "right"))
        setattr(ndarray, f"__i{_plain}__", operation(_name, "in place"))
for _name in UNARY:
    setattr(ndarray, f"__{_name}__", operation(_name, "left"))


def called(function: Callable[..., Any], **refused: Any) -> Callable[..., Any]:
    def of(*given: Any, **named: Any) -> Any:
        if named.keys() & refused.keys():
            raise TypeError(f"CuPy has no {[*refused]}")
        ndarray.operations += 1
        result = function(*opened(given), **{name: opened(value) for name, value in named.items()})
        for name in ("out", "output"):
            if isinstance(named.get(name), ndarray):
                return named[name]
        return closed(result)

    return of


def taken(value: Any, dtype: Any = None) -> ndarray:
    """The one way onto the device."""
    return ndarray(np.array(value.held if isinstance(value, ndarray) else value, dtype))


class StandIn(ModuleType):
    """CuPy's module."""

    __version__ = "of the tests"
    cuda = SimpleNamespace(runtime=SimpleNamespace(getDeviceProperties=lambda _: {"name": b"no device"}))
    array = asarray = staticmethod(taken)

    def __getattr__(self, name: str) -> Any:
        if name not in ALLOWED:
            raise AttributeError(f"is there a {name} in CuPy? Look it up, and add it to ALLOWED")
        return called(getattr(np, name), where=None)


@pytest.fixture(
    params=[
        pytest.param("stand-in", marks=pytest.mark.unit),
        pytest.param("cupy", marks=pytest.mark.gpu),
    ]
)
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The process computes on a device: a real one, or the stand-in."""
    if request.param == "cupy":
        if not arrays.array_backend().startswith("cupy"):
            pytest.skip(f"no CUDA device: arrays are {arrays.array_backend()}")
        yield "cupy"
        return
    monkeypatch.setattr(ndarray, "__module__", "cupy")
    monkeypatch.setitem(sys.modules, "cupy", StandIn("cupy"))
    ndimage: Any = ModuleType("cupyx.scipy.ndimage")
    ndimage.gaussian_filter = called(scipy.ndimage.gaussian_filter)
    monkeypatch.setitem(sys.modules, "cupyx.scipy.ndimage", ndimage)
    arrays.array_backend.cache_clear()
    ndarray.operations = 0
    yield "stand-in"
    assert ndarray.operations > 100, "hardly anything was computed on the device"
    arrays.array_backend.cache_clear()


def on_numpy(computed: Callable[[], Any]) -> Any:
    """What NumPy makes of it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(arrays, "array_backend", lambda: "numpy")
        return computed()


def swaying(clip: Any) -> Any:
    """The clip's skin as one that is followed: it sways by some pixels and turns a little."""
    masks = []
    for frame, mask in zip(clip.frames, clip.masks, strict=True):
        turn, away = 0.02 * np.sin(frame.time), 3 * np.sin(2 * np.pi * frame.time / 7)
        matrix = ((np.cos(turn), -np.sin(turn), away), (np.sin(turn), np.cos(turn), -away))
        masks.append(replace(mask, instances=[replace(mask.instances[0], transform=matrix)]))
    return replace(clip, masks=masks, canonical=(96, 64))


def summed(clip: Any) -> PersonSums:
    frames, masks = clip.chunk(0)
    return sum_chunk(clip.plan, clip.pulse, 0, frames, masks, None)["1"]


def assert_alike(found: Any, wanted: Any, device: str) -> None:
    assert type(found) is np.ndarray, "what leaves the device is NumPy's"
    if device == "stand-in":
        assert np.array_equal(found, wanted, equal_nan=True)
    else:
        assert np.array_equal(np.isnan(found), np.isnan(wanted))
        assert np.nanmax(np.abs(found - wanted)) <= 1e-4 * np.nanmax(np.abs(wanted))


@pytest.mark.parametrize("moved", [False, True], ids=["still", "swaying"])
def test_a_chunk_is_summed_on_the_device(clip_of: Any, device: str, moved: bool) -> None:
    clip = swaying(clip_of(seconds=9)) if moved else clip_of(seconds=9)
    wanted, found = on_numpy(lambda: summed(clip)), summed(clip)
    assert found.box == wanted.box
    assert found.frames == wanted.frames
    assert sorted(found.segments) == sorted(wanted.segments)
    for name, sums in wanted.segments.items():
        for part in vars(sums):
            assert_alike(getattr(found.segments[name], part), getattr(sums, part), device)
    for frame, edge in wanted.edges.items():
        assert_alike(found.edges[frame], edge, device)
    assert_alike(found.series, wanted.series, device)
    if device == "stand-in":
        assert sums_to_bytes({"1": found}) == sums_to_bytes({"1": wanted})


def gathered(clip: Any, sums: PersonSums) -> Fields:
    person = clip.pulse.people[0]
    total = Gathered(timing(clip.plan, clip.pulse, person))  # type: ignore[arg-type]
    total.add(sums)
    whole = total.total()
    assert whole is not None
    on_device = {name: part.on_device() for name, part in whole.segments.items()}
    matrix, offset = rgb_from_yuv(clip.plan.recording)
    found = fields(without_baseline(whole.box, on_device), matrix, offset, person.rate_hz)
    assert found is not None
    return found


def test_maps_are_made_on_the_device(clip_of: Any, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = clip_of(seconds=12, amplitude=0.01 * (1 + np.arange(48) / 48))
    sums = on_numpy(lambda: summed(clip))
    wanted = on_numpy(lambda: gathered(clip, sums))
    if device == "stand-in":
        monkeypatch.setattr(lockin, "_BLOCK", 7)  # of cells on the host; a device has no use for it
    found = gathered(clip, sums)
    for name in ("amplitude", "amplitude_rgb", "delay_s", "amplitude_error", "delay_error_s", "quality_db", "whole"):
        assert_alike(getattr(found, name), getattr(wanted, name), device)


def test_planes_are_warped_on_the_device(device: str) -> None:
    rng = np.random.default_rng(5)
    planes = rng.uniform(0, 255, (3, 40, 52)).astype(np.float32)
    for turn, scale in ((0.0, 1.0), (0.1, 1.0), (0.1, 0.4)):
        matrix = scale * np.array([[np.cos(turn), -np.sin(turn), 4], [np.sin(turn), np.cos(turn), -3]])
        transform = tuple(map(tuple, matrix.tolist()))
        found = canonical_samples(arrays.to_device(planes), transform, (30, 44), (2, 1))  # type: ignore[arg-type]
        assert_alike(arrays.to_host(found), canonical_samples(planes, transform, (30, 44), (2, 1)), device)  # type: ignore[arg-type]


def test_the_stand_in_refuses_what_cupy_refuses(device: str) -> None:
    there, here = arrays.to_device(np.arange(200.0)), np.arange(200.0)
    for mixed in (lambda: there + here, lambda: here + there, lambda: np.asarray(there)):
        with pytest.raises(TypeError):
            mixed()
    for _ in range(101):
        there = there + np.float64(1)
    assert arrays.to_host(there)[0] == 101
