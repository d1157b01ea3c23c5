"""Generative adversarial networks: the networks, the game they play, and how it is trained."""
