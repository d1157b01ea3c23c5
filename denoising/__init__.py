"""Denoising autoencoders: networks that restore noisy images of characters."""
