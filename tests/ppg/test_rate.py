"""Heart rate of waves whose rate is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.interval import best_mean_rate
from ppg.rate import Spectra, _support, peaks, power_at, refine, sliding_spectra, snr, track, window_starts

pytestmark = pytest.mark.unit

BAND = (0.6, 4.0)


def pulse(rate_hz, seconds, beat, second=0.3, noise=0.0, seed=0):
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(beat, time.shape)) / rate_hz
    wave = np.sin(phase) + second * np.sin(2 * phase + 0.5)
    return wave + noise * np.random.default_rng(seed).standard_normal(len(time))


def fitted(wave, rate_hz):
    """The mean rate by the fit along the track, and the ends of the interval that the fit alone gives."""
    spectra = sliding_spectra(wave, rate_hz, 256 / 30, BAND)
    start = np.interp(np.arange(len(wave)) / rate_hz, spectra.centre_s, track(spectra))
    found = best_mean_rate(wave, rate_hz, start)
    half = 1.645 * found.deviation_hz
    return found.hz, found.hz - half, found.hz + half


@settings(max_examples=60, deadline=None)
@given(
    beat=st.floats(0.75, 3.7), seconds=st.floats(5, 40), rate_hz=st.sampled_from([12.0, 25.0, 29.97, 60.0]),
    second=st.floats(0, 0.5),
)  # fmt: skip
def test_a_clean_pulse_is_read_within_its_interval(beat, seconds, rate_hz, second):
    found, low_hz, high_hz = fitted(pulse(rate_hz, seconds, beat, second), rate_hz)
    assert found == pytest.approx(beat, abs=1.0 / 60)
    assert low_hz <= beat <= high_hz
    assert high_hz - low_hz < 8 / 60


def test_a_stronger_second_harmonic_is_not_taken_for_the_rate():
    spectra = sliding_spectra(pulse(30.0, 20, 0.9, second=1.3), 30.0, 256 / 30, BAND)
    assert peaks(spectra) == pytest.approx(np.full(len(spectra.centre_s), 1.8), abs=0.02)
    assert track(spectra) == pytest.approx(np.full(len(spectra.centre_s), 0.9), abs=0.03)


def test_half_of_the_rate_is_not_taken_either():
    for beat in (1.4, 2.2, 3.3):
        spectra = sliding_spectra(pulse(30.0, 20, beat, second=0.0, noise=0.3), 30.0, 256 / 30, BAND)
        assert track(spectra) == pytest.approx(np.full(len(spectra.centre_s), beat), abs=0.03)


def test_a_rate_that_rises_is_followed():
    seconds, rate_hz = 40, 30.0
    beat = np.linspace(1.0, 1.8, round(seconds * rate_hz))
    wave = pulse(rate_hz, seconds, beat, noise=0.5)
    spectra = sliding_spectra(wave, rate_hz, 256 / 30, BAND)
    rates = track(spectra)
    truth = np.interp(spectra.centre_s, np.arange(len(beat)) / rate_hz, beat)
    assert np.abs(rates - truth).max() < 2 / 60
    assert fitted(wave, rate_hz)[0] == pytest.approx(1.4, abs=1.5 / 60)


def test_windows():
    assert window_starts(300, 256, 30).tolist() == [0, 30]
    assert window_starts(200, 256, 30).tolist() == [0]
    spectra = sliding_spectra(np.random.default_rng(0).standard_normal(300), 30.0, 256 / 30, BAND)
    np.testing.assert_allclose(spectra.centre_s, [127.5 / 30, 157.5 / 30])
    np.testing.assert_allclose(spectra.power.sum(axis=1), 1.0)
    assert spectra.window_s == pytest.approx(256 / 30)
    assert BAND[0] <= spectra.frequency_hz[0]
    assert spectra.frequency_hz[-1] <= BAND[1]


def test_snr_tells_a_pulse_from_noise():
    for noise, low, high in ((0.0, 15, 60), (0.5, 9, 16), (50.0, -8, 2)):
        spectra = sliding_spectra(pulse(30.0, 40, 1.3, noise=noise), 30.0, 256 / 30, BAND)
        ratio = 10 * np.log10(snr(spectra, track(spectra)).mean())
        assert low < ratio < high


def test_the_interval_covers_and_widens_with_noise():
    inside, widths = 0, []
    for seed in range(60):
        noise = (0.5, 2.5)[seed % 2]
        _, low_hz, high_hz = fitted(pulse(30.0, 15, 1.23, noise=noise, seed=seed), 30.0)
        inside += low_hz <= 1.23 <= high_hz
        widths.append(high_hz - low_hz)
    assert inside >= 0.85 * 60
    assert np.median(widths[1::2]) > 1.2 * np.median(widths[0::2])


def test_refining_finds_the_top_of_a_peak_between_bins():
    frequency = np.arange(0.6, 4.0, 0.05)
    power = np.exp(-(((frequency - 1.317) / 0.12) ** 2))
    power = np.stack([power, power, np.zeros(len(power))])
    top = int(power[0].argmax())
    assert refine(frequency, power, np.array([top, 0, top])) == pytest.approx(
        [1.317, frequency[0], frequency[top]], abs=1e-9
    )


@settings(max_examples=20, deadline=None)
@given(windows=st.integers(1, 6), seed=st.integers(0, 2**31))
def test_the_track_is_the_best_of_all_paths(windows, seed):
    """Against the recursion over all pairs of bins, on spectra of noise: jumps are left out only where they lose."""
    chance = np.random.default_rng(seed)
    frequency = np.arange(0.6, 4.0, 0.02)
    power = chance.exponential(1.0, (windows, len(frequency))) ** chance.uniform(0.5, 4)
    spectra = Spectra(np.arange(windows) + 4.0, frequency, power / power.sum(axis=1, keepdims=True), 8.5)
    support, best = _support(spectra), _support(spectra)[:1]
    cost = ((frequency[:, None] - frequency) / 0.06) ** 2
    froms = []
    for row in support[1:]:
        options = best[-1] - cost
        froms.append(options.argmax(axis=1))
        best = np.vstack([best, options.max(axis=1) + row])
    path = [int(best[-1].argmax())]
    for came in reversed(froms):
        path.append(int(came[path[-1]]))
    wanted = frequency[path[::-1]]
    assert np.abs(track(spectra) - wanted).max() <= 0.5 / 8.5 + 0.011, "within half a peak, and half a bin"


@settings(max_examples=30, deadline=None)
@given(bins=st.integers(1, 40), seed=st.integers(0, 2**31))
def test_power_between_bins_is_on_straight_lines(bins, seed):
    chance = np.random.default_rng(seed)
    frequency = 0.6 + 0.05 * np.arange(bins)
    spectra = Spectra(np.zeros(3), frequency, chance.random((3, bins)), 8.5)
    at = np.concatenate([chance.uniform(0, 4, (3, 9)), np.tile(frequency[[0, -1]], (3, 1))], axis=1)
    wanted = [np.interp(row, frequency, power, left=0, right=0) for row, power in zip(at, spectra.power, strict=True)]
    np.testing.assert_allclose(power_at(spectra, at), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("band", [(1.0, 1.02), BAND])
def test_nothing_has_no_rate(band):
    spectra = sliding_spectra(np.zeros(300), 30.0, 256 / 30, band)
    assert np.isnan(track(spectra)).all()


def test_beside_a_slow_rhythm_a_fast_heart_is_found():
    """A sway at 0.9 Hz with its double hides a heart at 2.4 Hz; what is beside the sway is the heart."""
    wave = pulse(30.0, 20, 0.9, 0.4) + 0.4 * pulse(30.0, 20, 2.4, 0.1)
    spectra = sliding_spectra(wave, 30.0, 256 / 30, BAND)
    first = track(spectra)
    np.testing.assert_allclose(first, 0.9, atol=0.02)
    fast = track(spectra, first)
    np.testing.assert_allclose(fast, 2.4, atol=0.02)
    np.testing.assert_allclose(track(spectra, fast), 0.9, atol=0.02)


def test_where_nothing_is_left_beside_a_rhythm_there_is_none():
    spectra = sliding_spectra(pulse(30.0, 5, 1.0), 30.0, 2.0, (0.6, 1.6))
    assert np.isnan(track(spectra, track(spectra))).all()
