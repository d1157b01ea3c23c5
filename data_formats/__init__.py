"""Readers and writers of data set files, one module a format, and what they are made of.

A module that reads a format offers `read(path, keep_digits, tell)`, which returns its `Content`;
`recognition` finds the one that a file or folder is for. The modules import `errors`, `counting`,
`pictures`, numpy and each other, and libraries for a format only when it is met.
"""
