"""Measurements of speed, each one command, with recorded results in `results/`."""
