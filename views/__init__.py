"""What a person sees: results as text, and what takes long as it goes."""
