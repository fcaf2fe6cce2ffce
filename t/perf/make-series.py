#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Make the states of a training run: make-series.py KIND DIR STEPS [SCALE]

KIND  full    weights and both moments of Adam, float32 (124 M parameters)
      frozen  85 % of the parameters are frozen: no moments, never change
      bf16    only weights, 2 bytes each
      shards  like full, in 8 files
      small   20,000 files of up to 8 KB
      torch   a real run: torch trains a small transformer, torch.save()

DIR/1, DIR/2, ... each hold a state.  SCALE (0 to 1) makes everything smaller.
"""
import json
import os
import struct
import sys

import numpy as np


def gpt2(width):
    """Yield names and sizes of the parameters of GPT-2 small."""
    yield "wte.weight", 50257 * width
    yield "wpe.weight", 1024 * width
    for i in range(12):
        for name, size in (
                ("ln_1.weight", width), ("ln_1.bias", width),
                ("attn.c_attn.weight", 3 * width * width),
                ("attn.c_attn.bias", 3 * width),
                ("attn.c_proj.weight", width * width),
                ("attn.c_proj.bias", width),
                ("ln_2.weight", width), ("ln_2.bias", width),
                ("mlp.c_fc.weight", 4 * width * width),
                ("mlp.c_fc.bias", 4 * width),
                ("mlp.c_proj.weight", 4 * width * width),
                ("mlp.c_proj.bias", width)):
            yield f"h.{i}.{name}", size
    yield "ln_f.weight", width
    yield "ln_f.bias", width


def is_trained(name):
    return name.startswith(("h.10.", "h.11.", "h.9.mlp", "ln_f"))


def write_safetensors(path, tensors, dtype, seed_of):
    size = 2 if dtype == "BF16" else 4
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, count in tensors:
        header[name] = {"dtype": dtype, "shape": [count],
                        "data_offsets": [offset, offset + count * size]}
        offset += count * size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name, count in tensors:
            rng = np.random.default_rng(seed_of(name))
            values = rng.standard_normal(count, dtype=np.float32) * 0.02
            if size == 2:
                values = (values.view(np.uint32) >> 16).astype(np.uint16)
            f.write(values.tobytes())


def number(name):
    return int.from_bytes(name.encode()[-6:], "little")


def models(kind, out, step, width):
    params = list(gpt2(width))
    frozen = kind == "frozen"
    names = [n for n, _ in params]

    def seed_of(name):
        base = name.split("/")[0]
        changes = not frozen or is_trained(base)
        return [names.index(base), number(name), step if changes else 0]

    tensors = list(params)
    if kind != "bf16":
        for moment in ("exp_avg", "exp_avg_sq"):
            tensors += [(f"{n}/{moment}", c) for n, c in params
                        if not frozen or is_trained(n)]
    shards = 8 if kind == "shards" else 1
    for i in range(shards):
        name = (f"model-{i + 1:05}-of-{shards:05}.safetensors"
                if shards > 1 else "model.safetensors")
        write_safetensors(f"{out}/{name}", tensors[i::shards],
                          "BF16" if kind == "bf16" else "F32", seed_of)
    with open(f"{out}/trainer_state.json", "w") as f:
        json.dump({"step": step * 1000, "loss": 3.5 / step}, f)


def small(out, step, count):
    rng = np.random.default_rng(1)
    sizes = rng.integers(200, 8000, count)
    for i, size in enumerate(sizes):
        os.makedirs(f"{out}/{i % 100:02}", exist_ok=True)
        # A tenth changes from step to step.
        seed = [i, step if i % 10 == 0 else 0]
        with open(f"{out}/{i % 100:02}/{i}.json", "wb") as f:
            f.write(np.random.default_rng(seed).bytes(int(size)))


def train(dirname, steps, width):
    import torch
    torch.manual_seed(1)
    layer = torch.nn.TransformerEncoderLayer(width, 4, 4 * width,
                                             batch_first=True)
    model = torch.nn.TransformerEncoder(layer, 8)
    optimizer = torch.optim.Adam(model.parameters())
    for step in range(1, steps + 1):
        x = torch.randn(4, 16, width)
        loss = ((model(x) - x) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        os.makedirs(f"{dirname}/{step}", exist_ok=True)
        torch.save({"model": model.state_dict(),
                    "optimizer": optimizer.state_dict(), "step": step},
                   f"{dirname}/{step}/checkpoint.pt")


def set_times(out, step):
    """Set times a minute apart: rsync compares files by size and time."""
    for parent, _, files in os.walk(out):
        for name in files:
            when = 1700000000 + 60 * step
            os.utime(f"{parent}/{name}", (when, when))


def main():
    kind, dirname, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
    scale = float(sys.argv[4]) if len(sys.argv) > 4 else 1.0
    if kind == "torch":
        train(dirname, steps, max(16, int(512 * scale) // 16 * 16))
        for step in range(1, steps + 1):
            set_times(f"{dirname}/{step}", step)
        return 0
    for step in range(1, steps + 1):
        out = f"{dirname}/{step}"
        os.makedirs(out, exist_ok=True)
        if kind == "small":
            small(out, step, int(20000 * scale))
        else:
            models(kind, out, step, max(8, int(768 * scale)))
        set_times(out, step)
    return 0


sys.exit(main())
