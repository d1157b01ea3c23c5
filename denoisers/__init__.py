"""Denoisers of the open data set: trained, kept, used, and what they are worth."""
