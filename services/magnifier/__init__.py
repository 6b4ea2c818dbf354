"""The magnifier: makes the blood flow visible and writes the results."""
