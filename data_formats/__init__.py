"""Readers and writers of data set files, one module a format, and what they are made of.

A module that reads a format offers `recognises(head)`, which knows the format by the first bytes
of a file, and `read(path, keep_digits)`, which returns its `Content`. `data_parser` lists them. The
modules import `errors`, numpy and each other, and libraries for a format only when it is met.
"""
