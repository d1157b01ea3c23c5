"""Data sets that are known by name, downloaded once into the user's cache folder.

`known` says which there are, `fetching` brings them; both run without Keras and print nothing.
"""
