"""What of a collection `Results` lists, and in which order: columns, conditions, and a language."""
