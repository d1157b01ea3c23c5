"""Any picture of one character as an image like those of a data set."""
