"""Arrays and pulses come back as they were."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from media.array_blob import pack, unpack
from media.pulse_blob import PersonWaves, Pulse
from mesh.contracts import Measurement, Person, Signal

pytestmark = pytest.mark.unit

arrays = hnp.arrays(
    st.sampled_from([np.bool_, np.uint8, np.int32, np.int64, np.float32, np.float64]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=8), arrays, max_size=4))
def test_arrays_come_back(content):
    data = pack(content, {"a": [1, "b", None]})
    found, header = unpack(data)
    assert header == {"a": [1, "b", None]}
    assert list(found) == list(content)
    for name, array in content.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, strict=True)
    assert pack(found, header) == data


def test_what_cannot_be_kept_is_refused():
    with pytest.raises(TypeError, match="not numbers"):
        pack({"a": np.array(["text"])})
    with pytest.raises(ValueError, match="JSON compliant"):
        pack({}, {"a": float("nan")})
    with pytest.raises(ValueError, match="not a container"):
        unpack(b"something else")
    with pytest.raises(ValueError, match="buffer"):
        unpack(pack({"a": np.zeros(9)})[:-1])


def test_a_pulse_comes_back():
    rng = np.random.default_rng(0)
    grid = dict.fromkeys("RGBYUV") | dict.fromkeys(["R_f", "G_f", "B_f", "white", "pulse"])
    frames = ["delta_Y", "delta_U", "delta_V", "white_normalised", "phase"]
    waves = {name: rng.standard_normal(50) for name in grid} | {name: rng.standard_normal(47) for name in frames}
    person = Person(
        id="1",
        measurements={"heart_rate": Measurement(value=60.0, unit="bpm", low=59, high=61, confidence=0.5, status="ok")},
        heart_rate_over_time=[],
        signal=Signal(snr_db=3.0, skin_fraction=0.5),
    )
    spans = ((0, 20, 1), (21, 47, 3))
    shown = PersonWaves("1", spans, **waves, rate_hz=1.0)
    pulse = Pulse(True, np.arange(50) / 30, [shown], [person], ["a warning"])
    data = pulse.to_bytes()
    found = Pulse.from_bytes(data)
    assert found.to_bytes() == data
    assert (found.people[0].spans, found.people[0].rate_hz) == (spans, 1.0)
    assert (found.measurements, found.warnings, found.band_hz) == ([person], ["a warning"], (0.6, 4.0))
    for name, wave in waves.items():
        np.testing.assert_array_equal(getattr(found.people[0], name), wave)
