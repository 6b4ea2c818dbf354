"""Synthetic recordings of pulsing skin whose answer is exactly known."""
