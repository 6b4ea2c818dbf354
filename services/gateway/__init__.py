"""The gateway: clips in, results out; coordinates the build graph of every job."""
