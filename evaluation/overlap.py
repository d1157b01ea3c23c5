"""Which images a network has met before: a 64-bit key for each image, and look-ups in sets of them.

Accuracy on images that took part in training or in choosing says nothing about new ones. Keys let
a collection remember its images in 8 bytes each, without keeping the images.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
IMAGES_A_BLOCK = 8192


def image_keys(images: npt.NDArray[np.uint8]) -> Keys:
    """Compute a key for each image; equal images have equal keys on every machine.

    Multiply-and-add hashing of 8 bytes at a time (Dietzfelbinger et al. 1997), modulo 2^64.

    Args:
        images: uint8 (N, 28, 28).

    Returns:
        uint64 (N,).
    """
    rows = np.ascontiguousarray(images).reshape(len(images), math.prod(images.shape[1:]))
    words = rows.view("<u8")
    # A fixed stream: the keys are stored, so they must never depend on the session's seed.
    factors = np.random.Generator(np.random.PCG64(20170217)).integers(
        0, 2**64, words.shape[1], dtype=np.uint64
    ) | np.uint64(1)
    keys = np.empty(len(words), np.uint64)
    for start in range(0, len(words), IMAGES_A_BLOCK):
        block = words[start : start + IMAGES_A_BLOCK]
        mixed = (block ^ (block >> np.uint64(31))) * factors
        mixed ^= mixed >> np.uint64(32)
        keys[start : start + IMAGES_A_BLOCK] = (mixed * factors[::-1]).sum(axis=1, dtype=np.uint64)
    return keys


def were_seen(images: npt.NDArray[np.uint8], keys: Keys) -> npt.NDArray[np.bool_]:
    """Say which images have a key in a set of keys.

    Args:
        images: uint8 (N, 28, 28).
        keys: uint64 (M,).

    Returns:
        bool (N,).
    """
    return np.isin(image_keys(images), keys)
