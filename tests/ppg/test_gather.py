"""The gather on traces whose truth is known: right or refused, and the same bits however the clip was cut."""

import re
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.color import rgb_from_yuv
from media.people import People, PersonSkin
from mesh.contracts import Chunk, Grid, Plan, Recording
from mesh.parameters import Parameters
from ppg.band_pass import make_filter
from ppg.collect import collect
from ppg.gather import gather_pulse
from ppg.measure import clearest
from ppg.patches import coherence, group_length, project
from ppg.rate import sliding_spectra
from ppg.trace_blob import Trace
from ppg.traces import patch_grid

pytestmark = pytest.mark.unit

SIZE = 96
GRID = patch_grid((SIZE // 2, SIZE // 2))
SKIN = np.array([180.0, 130.0, 110.0])
ABSORPTION = np.array([0.33, 0.77, 0.53]) / 0.77
SAMPLES = 400.0  # of skin in every patch
ALWAYS = ((0, 100_000, 1),)
PEOPLE = [PersonSkin("1", ALWAYS)]


def make_plan(n, rate=30.0, **facts) -> Plan:
    recording = Recording(
        duration_s=n / rate, frames=n, width=SIZE, height=SIZE, fps=rate, variable_rate=False, codec="h264",
        container="mp4", pixel_format="yuv420p", matrix=6, **facts,
    )  # fmt: skip
    return Plan(
        recording=recording, time_base=(1, 90000), pts=[round(i * 90000 / rate) for i in range(n)],
        chunks=[Chunk(index=0, first=0, frames=n, t0=0.0, t1=n / rate)],
        grid=Grid(origin_s=0.0, rate_hz=rate, samples=n),
    )  # fmt: skip


def sums_of(rgb):
    """Trace sums uint32[n, 4, patches] of patch colours float64[n, 3, patches]."""
    matrix, offset = rgb_from_yuv(make_plan(2).recording)
    yuv = np.einsum("ij,njp->nip", np.linalg.inv(matrix), rgb - offset[:, None])
    count = np.full_like(yuv[:, :1], SAMPLES)
    return np.rint(np.concatenate([count, yuv * count * [[4], [1], [1]]], axis=1)).astype(np.uint32)


def colours(n, seed=0, *, beat=None, amplitude=0.002, noise=0.15, common=None, rate=30.0):
    """Patches of skin with noise of their own, a pulse, and noise that all share."""
    rng = np.random.default_rng(seed)
    time = np.arange(n) / rate
    rgb = SKIN[None, :, None] + noise * rng.standard_normal((n, 3, GRID.count))
    if beat is not None:
        wave = np.sin(2 * np.pi * beat * time) + 0.3 * np.sin(4 * np.pi * beat * time)
        rgb = rgb - (SKIN * ABSORPTION * amplitude)[None, :, None] * wave[:, None, None]
    if common == "white":
        rgb = rgb + 0.1 * rng.standard_normal((n, 3, 1))
    elif common == "pink":
        frequency = np.fft.rfftfreq(n, 1 / rate)
        weight = np.divide(1.0, frequency, out=np.zeros_like(frequency), where=frequency > 0)[:, None]
        spectrum = weight * (rng.standard_normal((len(weight), 3)) + 1j * rng.standard_normal((len(weight), 3)))
        drift = np.fft.irfft(spectrum, n, axis=0)
        rgb = rgb + (0.5 * drift / drift.std(axis=0))[:, :, None]
    elif common == "lamp":
        rgb = rgb * (1 + 0.01 * np.sin(2 * np.pi * rng.uniform(0.8, 3) * time))[:, None, None]
    return rgb


def gather(sums, *, rate=30.0, cuts=(), times=None, facts=None, reason=None, people=PEOPLE, **parameters):
    n = len(sums)
    edges = [0, *cuts, n]
    traces = []
    for first, last in pairwise(edges):
        part = Trace(GRID, first, last - first, 0, {1: sums[first:last]})
        traces.append(Trace.from_bytes(part.to_bytes()))
    plan = make_plan(n, rate, **(facts or {}))
    if times is not None:
        plan = plan.model_copy(update={"pts": [round(90000 * time) for time in times]})
    return gather_pulse(plan, Parameters(**parameters), People(list(people)), traces, reason)


def heart_rate(pulse):
    return pulse.measurements[0].measurements["heart_rate"]


@pytest.mark.parametrize("beat", [0.75, 1.2, 2.0, 3.3])
@pytest.mark.parametrize("parameters", [{}, {"method": "green"}, {"method": "chrom"}, {"filter": "fir"}])
def test_a_pulse_is_read(beat, parameters):
    found = gather(sums_of(colours(360, beat=beat)), **parameters)
    value = heart_rate(found)
    assert value.status == "ok"
    assert value.value == pytest.approx(60 * beat, abs=1.0)
    assert value.low <= 60 * beat <= value.high
    assert value.confidence > 0.8
    assert found.people[0].rate_hz == pytest.approx(beat, abs=0.02)
    assert all(p.heart_rate.status == "ok" for p in found.measurements[0].heart_rate_over_time)
    assert found.measurements[0].signal.skin_fraction == pytest.approx(SAMPLES * GRID.count / (SIZE // 2) ** 2)


def test_the_seeds_preset_reads_it_too():
    value = heart_rate(gather(sums_of(colours(360, beat=1.2)), preset="facehr"))
    assert value.status == "ok"
    assert value.value == pytest.approx(72, abs=1.5)


@pytest.mark.parametrize("common", [None, "white", "pink", "lamp"])
@pytest.mark.parametrize("method", ["pos", "green"])
def test_noise_is_refused(common, method):
    answers = 0
    for seed in range(20):
        value = heart_rate(gather(sums_of(colours(360, seed, common=common)), method=method))
        answers += value.status == "ok"
        assert (value.value is None) == (value.status == "refused")
        assert value.status == "ok" or value.reason
    assert answers <= 1


@settings(max_examples=20, deadline=None)
@given(cuts=st.sets(st.integers(1, 299), max_size=6))
def test_cutting_changes_no_bit(cuts):
    sums = sums_of(colours(300, beat=1.2))
    assert gather(sums, cuts=sorted(cuts)).to_bytes() == gather(sums).to_bytes()


@pytest.mark.parametrize("filter_name", ["butterworth", "fir", "moving_average"])
def test_adding_the_delta_multiplies_the_pulse(filter_name):
    beat, amplitude, gain = 1.2, 0.004, 9.0
    rgb = colours(600, beat=beat, amplitude=amplitude, noise=0.02)
    found = gather(sums_of(rgb), filter=filter_name).people[0]
    time = np.arange(600) / 30
    inner = slice(75, -75)  # whole beats
    carrier = np.exp(-2j * np.pi * beat * time)[inner]

    def phasor(wave):
        part = wave[inner]
        return 2 * ((part - part.mean()) * carrier).mean()

    for name in "YUV":
        trace, delta = getattr(found, name), getattr(found, f"delta_{name}")
        ratio = phasor(trace + gain * delta) / phasor(trace)
        assert abs(ratio) == pytest.approx(1 + gain, rel=0.03)
        assert abs(np.angle(ratio)) < 0.02


def test_waves_are_what_they_say():
    rgb = colours(300, beat=1.2)
    found = gather(sums_of(rgb)).people[0]
    mean = rgb.mean(axis=2).T
    np.testing.assert_allclose([found.R, found.G, found.B], mean, atol=0.01)
    band_pass = make_filter(Parameters(), 30.0)
    np.testing.assert_allclose([found.R_f, found.G_f, found.B_f], band_pass(mean), atol=0.01)
    np.testing.assert_allclose(found.white, (found.R_f + found.G_f + found.B_f) / 3, atol=1e-12)
    blood = np.sin(2 * np.pi * 1.2 * np.arange(300) / 30)
    assert np.corrcoef(found.pulse, blood)[0, 1] > 0.9
    assert np.abs(found.white_normalised).max() <= 1.0


def test_a_variable_rate_is_resampled():
    rng = np.random.default_rng(0)
    times = np.sort(np.arange(450) / 30 + rng.uniform(-0.4, 0.4, 450) / 30)
    times -= times[0]
    wave = np.sin(2 * np.pi * 1.3 * times)[:, None, None]
    rgb = SKIN[None, :, None] - (SKIN * ABSORPTION * 0.004)[None, :, None] * wave
    rgb = rgb + 0.1 * rng.standard_normal((450, 3, GRID.count))
    value = heart_rate(gather(sums_of(rgb), times=times))
    assert value.status == "ok"
    assert value.value == pytest.approx(78, abs=1.0)


@pytest.mark.parametrize(
    ("frames", "rate", "words"),
    [(123, 30.0, r"4\.1 s of 5 s"), (60, 6.0, r"6\.0 of 8"), (10, 1.0, r"1\.0 of 8"), (2, 30.0, "too short")],
)
def test_a_clip_that_is_too_short_or_too_slow_is_refused_with_the_cause(frames, rate, words):
    found = gather(sums_of(colours(frames, beat=1.2, rate=rate)), rate=rate)
    assert heart_rate(found).status == "refused"
    assert re.search(words, heart_rate(found).reason)
    assert found.people[0].rate_hz is None
    assert any("refused" in warning for warning in found.warnings)
    assert np.isfinite(found.people[0].delta_Y).all()


def test_frames_at_any_time_have_a_phase_where_there_is_a_rate():
    times = np.arange(360) / 30 + np.random.default_rng(0).uniform(0, 0.012, 360)
    clear = gather(sums_of(colours(360, beat=1.2)), times=times).people[0]
    turns = np.diff(clear.phase) / (2 * np.pi) / np.diff(times)
    assert np.median(turns) == pytest.approx(1.2, abs=0.02)
    refused = gather(sums_of(colours(360)), times=times).people[0]
    assert refused.rate_hz is None
    assert np.isnan(refused.phase).all()


def test_five_seconds_are_enough_for_a_clear_pulse():
    assert heart_rate(gather(sums_of(colours(150, beat=1.2)))).value == pytest.approx(72, abs=2)


def test_a_patch_size_that_is_too_small_is_enlarged_and_said():
    plan = make_plan(300)
    plan = plan.model_copy(update={"recording": plan.recording.model_copy(update={"width": 640, "height": 480})})
    trace = Trace(patch_grid((240, 320), 8), 0, 300)
    found = gather_pulse(plan, Parameters(patch_size=8), People([]), [trace], None)
    assert any("patch_size 8 gives too many patches" in warning for warning in found.warnings)


def test_no_skin_is_said():
    found = gather(np.zeros((300, 4, GRID.count), np.uint32), people=[], reason="the picture is too dark")
    assert not found.skin_found
    assert found.people == []
    assert "no skin found: the picture is too dark" in heart_rate(found).reason
    assert len(found.time_s) == 300


def test_skin_that_leaves_the_picture():
    sums = sums_of(colours(300, beat=1.2))
    sums[:30] = 0  # for a moment: bridged
    assert heart_rate(gather(sums)).value == pytest.approx(72, abs=2)
    sums[100:200] = 0
    assert "% of the frames" in heart_rate(gather(sums)).reason


def test_two_people_have_a_pulse_each():
    one, other = (sums_of(colours(360, seed, beat=beat)) for seed, beat in ((0, 1.0), (1, 1.6)))
    # b's label changes half-way, as it may from one chunk to the next
    late = other.copy()
    other[200:], late[:200] = 0, 0
    trace = Trace(GRID, 0, 360, 2, {1: one, 4: other, 9: late})
    people = People([PersonSkin("a", ((0, 360, 1),)), PersonSkin("b", ((0, 200, 4), (200, 360, 9)))])
    found = gather_pulse(make_plan(360), Parameters(), people, [trace], None)
    rates = [person.measurements["heart_rate"].value for person in found.measurements]
    assert rates == [pytest.approx(60, abs=1), pytest.approx(96, abs=1)]
    assert [person.id for person in found.people] == ["a", "b"]
    assert "2 of 360 frames could not be decoded" in found.warnings[0]


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 50), group=st.integers(1, 7), cut=st.integers(1, 49), seed=st.integers(0, 99))
def test_patches_are_added_up_in_groups_of_frames(n, group, cut, seed):
    sums = np.random.default_rng(seed).integers(0, 1000, (n, 4, GRID.count)).astype(np.uint32)
    edges = [0, cut, n] if cut < n else [0, n]
    traces = [
        Trace(GRID, a, b - a, 0, {1: sums[a:b]}) for a, b in pairwise(edges)
    ]  # fmt: skip
    found = collect(n, group, PEOPLE, traces).people
    expected = [sums[start : start + group].sum(axis=0) for start in range(0, n, group)]
    np.testing.assert_array_equal(found["1"].patches, expected)
    np.testing.assert_array_equal(found["1"].skin, sums.sum(axis=2))


def test_coherence_knows_a_shared_pulse():
    rate = 30 / group_length(30.0)
    shared = np.sin(2 * np.pi * 1.2 * np.arange(300) / rate)
    noise = np.random.default_rng(0).standard_normal((30, 300))
    for part, low, high, contrasts in ((1.0, 0.9, 1.0, (100, 1e9)), (0.0, 0.0, 0.15, (0.0, 1.0))):
        waves = noise + 5 * part * shared
        spectra = sliding_spectra(shared, rate, 8.5, (0.6, 4.0))
        found = coherence(waves, rate, spectra, np.full(len(spectra.centre_s), 1.2))
        assert found is not None
        assert low <= found.shared <= high
        assert contrasts[0] <= found.contrast <= contrasts[1]
    # something else that all patches share: it does not change what they share at 1.2 Hz, but stands beside it
    both = noise + 5 * (shared + 1.5 * np.sin(2 * np.pi * 2.0 * np.arange(300) / rate))
    beside = coherence(both, rate, spectra, np.full(len(spectra.centre_s), 1.2))
    assert beside is not None
    assert beside.shared > 0.8
    assert beside.contrast == pytest.approx(1 / 1.5**2, rel=0.1)
    assert coherence(noise[:3], rate, spectra, np.full(len(spectra.centre_s), 1.2)) is None


def test_the_projection_of_patches_ignores_light():
    wave = 0.02 * np.sin(2 * np.pi * 1.2 * np.arange(300) / 15)
    light = project(SKIN[:, None] * (1 + wave), 15.0)
    blood = project(SKIN[:, None] * (1 - ABSORPTION[:, None] * wave), 15.0)
    assert np.abs(light).max() < 0.05 * np.abs(blood).max()


def test_beats_come_from_the_clearest_of_the_waves_that_agree():
    def candidate(method, hz, fit, first=True):
        return SimpleNamespace(method=method, mean=SimpleNamespace(hz=hz, fit=fit), first=first)

    found = [
        candidate("pos", 1.2, 0.88),
        candidate("green", 1.21, 0.98),
        candidate("chrom", 2.4, 0.99),  # another rate
        candidate("pbv", 1.2, 0.995),  # not sure enough
        candidate("green", 1.2, 0.999, first=False),
    ]
    asked = SimpleNamespace(candidates=found, trust=[0.9999, 0.9998, 0.99, 0.5, 0.99])
    assert clearest(asked, 0.92).method == "green"
    asked.trust[1] = 0.9
    assert clearest(asked, 0.92).method == "pos"
