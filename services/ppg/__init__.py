"""The ppg service: traces, pulse and heart rate."""
