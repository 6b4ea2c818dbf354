"""Scores measurements of the pulse against recordings whose answer is known: datasets, phantoms, fingertips."""
