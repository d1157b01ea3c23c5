"""Tests of one variant as a Keras network: build, weights, fit, predict."""

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from conftest import MakeDataSet

import cnn_model
import network_layers
from cnn_model import TrainingImages, TrainingProgress, TrainingStopped, build_network, fit_network
from data_parser import DataSet
from hyperparameters import TrainingParameters
from network_layers import (
    ACTIVATIONS,
    INCREASING_ACTIVATIONS,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPooling,
    Variant,
)
