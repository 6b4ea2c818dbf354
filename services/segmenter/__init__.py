"""The segmenter: finds skin."""
