# SPDX-License-Identifier: MIT
"""Write files in every format, and compare what dsv says about them.

    format_torch.py make DIR        write the files
    format_torch.py check DIR DUMP  run DUMP (format_dump) on each and compare
                                    names, types, shapes and bytes
    format_torch.py seed DIR        write small ones for the fuzzer

A file F.want (JSON) beside each file says what dsv has to find in it.
"""
import base64
import io
import json
import os
import struct
import subprocess
import sys
import zipfile

import numpy as np

try:
    import torch
except ImportError:
    torch = None

NUMPY_TYPES = {
    "float16": "F16", "float32": "F32", "float64": "F64", "int8": "I8",
    "int16": "I16", "int32": "I32", "int64": "I64", "uint8": "U8",
    "uint16": "U16", "uint32": "U32", "uint64": "U64", "bool": "BOOL",
    "complex64": "C64", "complex128": "C128",
}


def wanted(dtype, shape, data):
    return {"dtype": dtype, "shape": list(shape),
            "data": base64.b64encode(data).decode()}


def want_array(a):
    return wanted(NUMPY_TYPES[str(a.dtype)], a.shape,
                  np.ascontiguousarray(a).tobytes())


def want_tensor(t):
    t = t.detach()
    if t.dtype == torch.bfloat16:
        return wanted("BF16", t.shape,
                      t.contiguous().view(torch.int16).numpy().tobytes())
    return want_array(t.numpy())


def save(path, data, kind, tensors):
    with open(path, "wb") as f:
        f.write(data)
    with open(path + ".want", "w") as f:
        json.dump({"kind": kind, "tensors": tensors}, f)


def named(value, path, out):
    """Return the tensors of nested dicts and lists, by dotted path."""
    if torch.is_tensor(value):
        out[path or "data"] = want_tensor(value)
    elif isinstance(value, dict):
        for k, v in value.items():
            named(v, f"{path}.{k}" if path else str(k), out)
    elif isinstance(value, (list, tuple)):
        for i, v in enumerate(value):
            named(v, f"{path}.{i}" if path else str(i), out)
    return out


def torch_bytes(value, **options):
    f = io.BytesIO()
    torch.save(value, f, **options)
    return f.getvalue()


def train(steps):
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(300, 1000),
                                torch.nn.BatchNorm1d(1000),
                                torch.nn.ReLU(),
                                torch.nn.Linear(1000, 10))
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 300)).sum().backward()
        optimizer.step()
    return model, optimizer


def make_torch(d):
    model, optimizer = train(3)
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(),
             "epoch": 300, "lr": 1e-3, "note": None, "done": False}
    save(f"{d}/train.pt", torch_bytes(state), "torch", named(state, "", {}))

    base = torch.arange(60, dtype=torch.float32).view(3, 20)
    views = {"base": base, "row": base[1], "column": base[:, 3],
             "transposed": base.t(), "tail": base[1:, 10:],
             "expanded": base[0, :1].expand(5), "scalar": base[2, 2],
             "empty": base[:0], "again": base}
    save(f"{d}/views.pt", torch_bytes(views), "torch", named(views, "", {}))

    types = {str(t).split(".")[1]: torch.ones(3, 2).to(t) for t in (
        torch.float16, torch.bfloat16, torch.float64, torch.int8,
        torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool,
        torch.complex64, torch.complex128)}
    save(f"{d}/types.pt", torch_bytes(types), "torch", named(types, "", {}))
    save(f"{d}/protocol4.pt", torch_bytes(types, pickle_protocol=4),
         "torch", named(types, "", {}))

    module = named({k: v for k, v in model.state_dict().items()}, "", {})
    save(f"{d}/module.pt", torch_bytes(model), "torch", module)
    save(f"{d}/alone.pt", torch_bytes(base), "torch", named(base, "", {}))
    parameter = {"p": torch.nn.Parameter(base), 7: [base, {"x": (base,)}]}
    save(f"{d}/nested.pt", torch_bytes(parameter), "torch",
         named(parameter, "", {}))
    save(f"{d}/legacy.pt",
         torch_bytes(state, _use_new_zipfile_serialization=False),
         "opaque", {})
    items = [torch.randn(7, 9), torch.arange(5), torch.zeros(200000)]
    save(f"{d}/__0_0.distcp", b"".join(torch_bytes(t) for t in items),
         "torch", named(items, "", {}))
    # The name does not matter.
    save(f"{d}/no-suffix", torch_bytes(types), "torch", named(types, "", {}))


def arrays():
    return {
        "f4": np.arange(12, dtype="f4").reshape(3, 4),
        "fortran": np.asfortranarray(np.arange(12, dtype="i8").reshape(3, 4)),
        "scalar": np.array(7, dtype="u2"),
        "empty": np.zeros((0, 4), dtype="f8"),
        "bool": np.array([True, False]),
        "c16": np.ones(3, dtype="c16"),
    }


def npy_bytes(a):
    f = io.BytesIO()
    np.save(f, a)
    return f.getvalue()


def make_numpy(d):
    for name, a in arrays().items():
        save(f"{d}/{name}.npy", npy_bytes(a), "npy", {"data": want_array(a)})
    text = np.array(["ab", "cdefg"])
    save(f"{d}/text.npy", npy_bytes(text), "npy", {})
    save(f"{d}/big-endian.npy", npy_bytes(np.arange(5, dtype=">i4")), "npy",
         {})
    save(f"{d}/object.npy", npy_bytes(np.array([{}, []], dtype=object)),
         "opaque", {})
    fields = np.zeros(3, dtype=[("a", "<f4"), ("b", "<i4")])
    save(f"{d}/fields.npy", npy_bytes(fields), "opaque", {})
    save(f"{d}/two.npy", npy_bytes(text) + npy_bytes(text), "opaque", {})
    f = io.BytesIO()
    np.savez(f, text=text, **arrays())
    save(f"{d}/several.npz", f.getvalue(), "npz",
         {k: want_array(a) for k, a in arrays().items()})
    f = io.BytesIO()
    np.savez_compressed(f, **arrays())
    save(f"{d}/compressed.npz", f.getvalue(), "npz", {})


def safetensors_bytes(tensors, metadata=None):
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, a in tensors.items():
        raw = np.ascontiguousarray(a).tobytes()
        header[name] = {"dtype": NUMPY_TYPES[str(a.dtype)],
                        "shape": list(a.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def make_safetensors(d):
    tensors = {k: a for k, a in arrays().items() if k != "c16"}
    tensors["\u00e9t\u00e9 \"quoted\" \\"] = np.ones(2, dtype="f2")
    good = safetensors_bytes(tensors, {"format": "pt"})
    save(f"{d}/good.safetensors", good, "safetensors",
         {k: want_array(a) for k, a in tensors.items()})
    save(f"{d}/short.safetensors", good[:-1], "opaque", {})
    save(f"{d}/long.safetensors", good + b"\0", "opaque", {})


def gguf_text(text):
    return struct.pack("<Q", len(text)) + text.encode()


def gguf_bytes(version, alignment, tensors, tokens=1000):
    """tensors maps a name to (ggml type, dimensions of ggml, bytes)."""
    pairs = gguf_text("general.name") + struct.pack("<I", 8) + gguf_text("x")
    pairs += (gguf_text("tokens") + struct.pack("<IIQ", 9, 8, tokens) +
              b"".join(gguf_text(f"token{i}") for i in range(tokens)))
    pairs += (gguf_text("scores") + struct.pack("<IIQ", 9, 6, 20 * tokens) +
              bytes(80 * tokens))
    pairs += (gguf_text("general.alignment") +
              struct.pack("<II", 4, alignment))
    infos, data = b"", b""
    for name, (dtype, dims, raw) in tensors.items():
        data += bytes(-len(data) % alignment)
        infos += gguf_text(name) + struct.pack("<I", len(dims))
        infos += b"".join(struct.pack("<Q", n) for n in dims)
        infos += struct.pack("<IQ", dtype, len(data))
        data += raw
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), 4)
    head += pairs + infos
    return head + bytes(-len(head) % alignment) + data


def make_gguf(d):
    f32 = np.arange(15, dtype="f4").reshape(3, 5)
    q4 = os.urandom(2 * 18 * 4)
    tensors = {"a.weight": (0, (5, 3), f32.tobytes()),
               "b.weight": (2, (64, 4), q4)}
    want = {"a.weight": want_array(f32),
            "b.weight": wanted("Q4_0", (4, 64), q4)}
    for version, alignment in ((2, 32), (3, 64)):
        save(f"{d}/v{version}.gguf", gguf_bytes(version, alignment, tensors),
             "gguf", want)
    good = gguf_bytes(3, 32, tensors)
    save(f"{d}/short.gguf", good[:-1], "opaque", {})
    save(f"{d}/unaligned.gguf", gguf_bytes(3, 33, tensors), "opaque", {})
    save(f"{d}/version9.gguf", gguf_bytes(9, 32, tensors), "opaque", {})


def make_seed(d):
    a = np.arange(6, dtype="f4").reshape(2, 3)
    npz = io.BytesIO()
    np.savez(npz, a=a, b=a[0])
    seeds = {"npy": npy_bytes(a), "npz": npz.getvalue(),
             "safetensors": safetensors_bytes({"a": a, "b": a}),
             "gguf": gguf_bytes(3, 32, {"a": (0, (3, 2), a.tobytes())}, 2)}
    if torch:
        t = torch.from_numpy(a)
        seeds["pt"] = torch_bytes({"a": t, "b": [t.t(), t[0]]})
        seeds["module"] = torch_bytes(torch.nn.Linear(2, 3))
        seeds["pt4"] = torch_bytes({"a": t}, pickle_protocol=4)
        for name in ("pt", "module", "pt4"):
            with zipfile.ZipFile(io.BytesIO(seeds[name])) as z:
                seeds[name + ".pkl"] = z.read("archive/data.pkl")
        seeds["distcp"] = torch_bytes(t) + torch_bytes(t[1])
    for name, data in seeds.items():
        with open(f"{d}/{name}", "wb") as f:
            f.write(data)


def gather(raw, tensor, item_bytes):
    """Return the elements that offset, shape and stride select, packed."""
    a = np.ndarray(tensor["shape"], dtype=f"V{item_bytes}", buffer=raw,
                   offset=tensor["offset"],
                   strides=[s * item_bytes for s in tensor["stride"]])
    return np.ascontiguousarray(a).tobytes()


def tensor_bytes(raw, tensor):
    if "stride" not in tensor:
        return raw[tensor["offset"]:tensor["offset"] + tensor["bytes"]]
    return gather(raw, tensor,
                  tensor["bytes"] // int(np.prod(tensor["shape"])))


def check(path, dump):
    with open(path, "rb") as f:
        raw = f.read()
    with open(path + ".want") as f:
        want = json.load(f)
    got = json.loads(subprocess.run([dump, path], check=True,
                                    stdout=subprocess.PIPE).stdout)
    assert got["kind"] == want["kind"], (got["kind"], want["kind"])
    assert got["end"][-1] == len(raw)
    assert got["end"] == sorted(set(got["end"]))
    found = {t["name"]: wanted(t["dtype"], t["shape"], tensor_bytes(raw, t))
             for t in got["tensors"]}
    assert len(found) == len(got["tensors"]), "a name twice"
    assert sorted(found) == sorted(want["tensors"]), (sorted(found),
                                                      sorted(want["tensors"]))
    for name, tensor in want["tensors"].items():
        assert found[name] == tensor, (name, found[name], tensor)
    return len(found)


def main():
    d = sys.argv[2]
    if sys.argv[1] == "seed":
        make_seed(d)
        return
    if sys.argv[1] == "make":
        if torch:
            make_torch(d)
        make_numpy(d)
        make_safetensors(d)
        make_gguf(d)
        return
    failed = False
    for name in sorted(os.listdir(d)):
        if not name.endswith(".want"):
            continue
        name = name[:-len(".want")]
        try:
            print(f"{name}: {check(os.path.join(d, name), sys.argv[3])}")
        except AssertionError as e:
            print(f"{name}: differs: {str(e)[:400]}")
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
