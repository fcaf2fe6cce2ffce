#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Train a small network on the UCI digits; every epoch becomes a state of dsv.

Outside a fork it starts from random weights and with the parameters below.
In a fork dsv says where the files of the state are ($DSV_CHECKOUT) and which
parameters to use ($DSV_PARAMS_FILE).

Usage: train.py [--async] DIR.  With --async it continues while a state is being
stored.  After the signal USR2 it ends with the next state.
"""
import json
import os
import signal
import subprocess
import sys

import torch
from sklearn.datasets import load_digits
from torch import nn

PARAMS = {"lr": 0.3, "epochs": 4, "hidden": 48, "batch": 64, "seed": 1}


def read_params():
    path = os.environ.get("DSV_PARAMS_FILE")
    if not path:
        return PARAMS
    with open(path) as f:
        return {**PARAMS, **json.load(f)}


def read_data():
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32) / 16
    y = torch.tensor(digits.target)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, y = x[order], y[order]
    return (x[:1400], y[:1400]), (x[1400:], y[1400:])


def make_model(hidden):
    return nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def evaluate(model, data):
    x, y = data
    with torch.no_grad():
        logits = model(x)
    loss = nn.functional.cross_entropy(logits, y).item()
    return (logits.argmax(1) == y).float().mean().item(), loss


def train_epoch(model, optimizer, data, batch, seed):
    x, y = data
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    for rows in order.split(batch):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()


def tag(directory, options, params, epoch, accuracy, loss):
    command = ["dsv", "tag", *options, "-m", f"epoch {epoch}"]
    for key, value in params.items():
        command += ["-p", f"{key}={value}"]
    command += ["-a", f"epoch={epoch}", "-a", f"acc={accuracy:.4f}",
                "-a", f"loss={loss:.4f}", directory]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main(directory, *options):
    signals = []
    signal.signal(signal.SIGUSR2, lambda number, frame: signals.append(number))
    params = read_params()
    torch.manual_seed(params["seed"])
    torch.set_num_threads(1)
    train, test = read_data()
    model = make_model(params["hidden"])
    optimizer = torch.optim.SGD(model.parameters(), lr=params["lr"], momentum=0.9)
    first = 1

    checkout = os.environ.get("DSV_CHECKOUT")
    if checkout:
        state = torch.load(os.path.join(checkout, "ckpt", "model.pt"))
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["epoch"] + 1
        for group in optimizer.param_groups:
            group["lr"] = params["lr"]
        accuracy, _ = evaluate(model, test)
        print(f"continuing from epoch {state['epoch']}: acc {accuracy:.4f},"
              f" now with lr {params['lr']}", flush=True)

    os.makedirs(directory, exist_ok=True)
    for epoch in range(first, first + params["epochs"]):
        train_epoch(model, optimizer, train, params["batch"], params["seed"] + epoch)
        accuracy, loss = evaluate(model, test)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(),
                    "epoch": epoch, "params": params},
                   os.path.join(directory, "model.pt"))
        tag(directory, options, params, epoch, accuracy, loss)
        print(f"epoch {epoch}: acc {accuracy:.4f} loss {loss:.4f}", flush=True)
        if signals:
            print(f"stopped after epoch {epoch}", flush=True)
            break


if __name__ == "__main__":
    main(*reversed(sys.argv[1:] or ["ckpt"]))
