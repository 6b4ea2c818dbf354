"""The command `pulsemesh` and the embedded mesh."""
