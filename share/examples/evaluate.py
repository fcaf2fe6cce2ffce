#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Print the accuracy of a checkpoint of train.py, as train.py measured it."""
import sys

import torch

from train import evaluate, make_model, read_data

state = torch.load(sys.argv[1])
model = make_model(state["params"]["hidden"])
model.load_state_dict(state["model"])
print(f"{evaluate(model, read_data()[1])[0]:.4f}")
