"""What is kept on disk as a folder: collections of networks, generators and denoisers."""
