"""What is set in the subject's process that bears on a GPU's results, and which GPUs it uses.

Nothing is imported or started for it: only what the subject has loaded itself is asked.
"""

import os
import sys

VARIABLES = (
    "CUBLAS_WORKSPACE_CONFIG", "CUDA_LAUNCH_BLOCKING", "CUDA_VISIBLE_DEVICES", "NCCL_ALGO",
    "NCCL_PROTO", "NVIDIA_TF32_OVERRIDE", "TF_CUDNN_DETERMINISTIC", "TF_CUDNN_USE_AUTOTUNE",
    "TF_DETERMINISTIC_OPS", "XLA_FLAGS",
)  # fmt: skip


def install(session):
    told = []

    def once():
        if not told:
            told.append(True)
            session.events.emit("knobs", values=values())

    session.first_checkpoint.append(once)
    session.first_checkpoint.append(lambda: tell_use(session))
    session.at_end.append(once)
    session.at_end.append(lambda: tell_use(session))


def tell_use(session):
    used = use()
    if used:
        session.events.emit("gpu-use", used=used)


def values():
    """Settings by name, as text: of the environment and of frameworks."""
    found = {}
    for name in VARIABLES:
        value = os.environ.get(name)
        if value:
            found[name] = value
    for name, ask in SETTINGS:
        module = sys.modules.get(name.partition(".")[0])
        if module is None:
            continue
        try:
            found[name] = str(ask(module))
        except Exception:
            # This version has no such setting.
            continue
    return found


def op_determinism(module):
    return sys.modules["tensorflow.python.framework.config"].is_op_determinism_enabled()


SETTINGS = (
    ("torch.deterministic", lambda torch: torch.are_deterministic_algorithms_enabled()),
    ("torch.warn-only", lambda torch: torch.is_deterministic_algorithms_warn_only_enabled()),
    ("torch.cudnn.benchmark", lambda torch: torch.backends.cudnn.benchmark),
    ("torch.cudnn.deterministic", lambda torch: torch.backends.cudnn.deterministic),
    ("tensorflow.op-determinism", op_determinism),
)


def use():
    """The GPUs that frameworks have taken memory on: rows of framework, the GPU's number as the
    process counts them, its identity where the framework tells it, and the most bytes in use."""
    found = []
    for name, ask in ASKED:
        module = sys.modules.get(name)
        if module is None:
            continue
        try:
            for number, uuid, peak in ask(module):
                found.append({"framework": name, "gpu": number, "uuid": uuid, "peak": int(peak)})
        except Exception:
            # This version does not tell.
            continue
    return found


def torch(module):
    if not module.cuda.is_initialized():
        return
    for number in range(module.cuda.device_count()):
        peak = module.cuda.max_memory_reserved(number)
        if peak:
            uuid = getattr(module.cuda.get_device_properties(number), "uuid", "")
            yield number, "GPU-%s" % uuid if uuid else "", peak


def tensorflow(module):
    context = sys.modules["tensorflow.python.eager.context"].context_safe()
    if context is None or not context._initialized:
        return
    for number in range(context.num_gpus()):
        peak = module.config.experimental.get_memory_info("GPU:%d" % number)["peak"]
        if peak:
            yield number, "", peak


def jax(module):
    for backend in dict(sys.modules["jax._src.xla_bridge"]._backends).values():
        if backend.platform not in ("gpu", "cuda"):
            continue
        for device in backend.local_devices():
            peak = (device.memory_stats() or {}).get("peak_bytes_in_use", 0)
            if peak:
                yield device.id, "", peak


ASKED = (("torch", torch), ("tensorflow", tensorflow), ("jax", jax))
