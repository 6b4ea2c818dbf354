"""Video in and out: probe, split into chunks that decode alone, decode to planes, encode, join."""
