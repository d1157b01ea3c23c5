"""Generators that are trained: one a character or one for all; and what they draw, as files."""
