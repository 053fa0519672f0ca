"""Asks frameworks and numerical libraries how they were built and what they see here."""

import json
import sys


def main(name, out):
    """Import one library, and write what it tells of itself to `out`."""
    try:
        __import__(name)
        told = {"version": version(sys.modules[name]), "told": TOLD[name](sys.modules[name])}
    except Exception as error:
        told = {"version": "", "told": {}, "failure": "%s: %s" % (type(error).__name__, error)}
    with open(out, "w") as file:
        json.dump(told, file)


def version(module):
    return str(getattr(module, "__version__", ""))


def on_off(value):
    return "on" if value else "off"


def asked(told, name, call):
    """Add what `call` gives, as text; nothing where this version has no such thing."""
    try:
        value = call()
    except Exception as error:
        # What can't be asked is left out, and said to be so.
        told[name] = "not told (%s)" % type(error).__name__
        return
    if value not in (None, ""):
        told[name] = str(value)


def numpy(module):
    told = {}

    def blas():
        config = module.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return "%s %s" % (config["name"], config["version"])

    def kernels():
        found = module.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
        return ", ".join(found) or "baseline only"

    asked(told, "BLAS", blas)
    asked(told, "kernels for", kernels)
    return told


def tensorflow(module):
    told = {}
    info = module.sysconfig.get_build_info()
    asked(told, "built for", lambda: "CUDA" if info.get("is_cuda_build") else "CPU")
    asked(told, "CUDA", lambda: info.get("cuda_version"))
    asked(told, "cuDNN", lambda: info.get("cudnn_version"))
    asked(told, "GPUs", lambda: len(module.config.list_physical_devices("GPU")))
    for name in ("intra", "inter"):
        get = getattr(module.config.threading, "get_%s_op_parallelism_threads" % name)
        asked(told, "%s-op threads" % name, lambda get=get: get() or "one for each core")
    return told


def keras(module):
    told = {}
    asked(told, "backend", lambda: module.config.backend())
    asked(told, "float type", lambda: module.config.floatx())
    return told


def torch(module):
    told = {}
    asked(told, "built for", lambda: "CUDA" if module.version.cuda else "CPU")
    asked(told, "CUDA", lambda: module.version.cuda)
    asked(told, "cuDNN", lambda: module.backends.cudnn.version())
    asked(told, "GPUs", lambda: module.cuda.device_count())
    asked(told, "threads", module.get_num_threads)
    asked(told, "MKL", lambda: on_off(module.backends.mkl.is_available()))
    asked(told, "oneDNN", lambda: on_off(module.backends.mkldnn.is_available()))
    return told


def jax(module):
    told = {}
    asked(told, "jaxlib", lambda: version(__import__("jaxlib")))
    asked(told, "device", lambda: module.default_backend())
    asked(told, "GPUs", lambda: sum(d.platform in ("gpu", "cuda") for d in module.devices()))
    asked(told, "64 bits", lambda: on_off(module.config.jax_enable_x64))
    asked(told, "keys", lambda: module.config.jax_default_prng_impl)
    return told


TOLD = {"numpy": numpy, "tensorflow": tensorflow, "keras": keras, "torch": torch, "jax": jax}
