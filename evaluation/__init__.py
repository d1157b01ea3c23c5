"""What is measured, from arrays: recognition, overlap with training data, and plots."""
