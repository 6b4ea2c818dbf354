"""Scores measurements of the pulse against recordings whose answer is known: published datasets, phantoms, fingertips."""
