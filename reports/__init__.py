"""The report: one HTML page of a data set and a collection, and its pictures."""
