"""Faces on the CPU: where the skin of every face is, how the head is held, and where each piece of skin goes."""
