"""Characters drawn from font files so that they look like scanned handwriting."""
