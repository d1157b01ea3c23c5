"""Entries of a collection: trained networks as plain data, how they are made and how they read."""
