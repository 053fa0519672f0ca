"""oneDNN's kernels on the CPU."""

import os
import sys

from .base import Factor

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
BEFORE_TENSORFLOW = "tensorflow.python.platform.self_check"
"""A module that TensorFlow imports before it loads its library."""


class Onednn(Factor):
    name = "onednn"
    group = "kernels"
    title = "oneDNN's kernels on the CPU"
    symptom = (
        "Each machine repeats itself, and two with different processors, or two versions of "
        "TensorFlow, agree to some digits only."
    )
    explanation = (
        "TensorFlow and PyTorch run convolutions, matrix products and recurrent layers by oneDNN "
        "where the processor suits it, and by kernels of their own elsewhere. The two round "
        "differently. Each gives the same bits in every run."
    )
    because = "oneDNN's kernels are in use"
    pinned = "`TF_ENABLE_ONEDNN_OPTS=0`, and `torch.backends.mkldnn` is switched off."
    varied = (
        "The other choice than the script's, in TensorFlow and in PyTorch: off where oneDNN is in "
        "use, on where it is not."
    )
    noticed = "By importing TensorFlow or PyTorch with oneDNN switched on."
    stress = "sensitivity"
    acts = "before-import"
    late = False
    due = ("torch",)
    advice = (
        "To get the same result on processors that oneDNN treats differently, switch it off on "
        "all of them. It may slow training down."
    )
    references = (
        (
            "TensorFlow 2.9.0: release notes",
            "https://github.com/tensorflow/tensorflow/releases/tag/v2.9.0",
        ),
        (
            "oneDNN: deterministic mode",
            "https://oneapi-src.github.io/oneDNN/dev_guide_attributes_deterministic.html",
        ),
    )
    launch = ((VARIABLE, "0"),)
    fixes = (("torch", "import torch\ntorch.backends.mkldnn.set_flags(False)"),)

    def unavailable(self, machine):
        used = machine.get("tensorflow") or machine.get("torch")
        return "" if used else "neither TensorFlow nor PyTorch is installed"

    def install(self, session, arm):
        if arm != "free":
            session.on_import(BEFORE_TENSORFLOW, lambda module: self.choose(arm))
        session.on_import("tensorflow", lambda module: self.tensorflow(session, arm))
        session.on_import("torch", lambda module: self.torch(session, arm, module))

    def choose(self, arm):
        """What the script has set itself by now gives way."""
        wanted = False if arm == "pinned" else not switched_on()
        os.environ[VARIABLE] = "1" if wanted else "0"
        self.wanted = wanted

    def tensorflow(self, session, arm):
        # TensorFlow has imported this for itself.
        port = sys.modules.get("tensorflow.python.util._pywrap_util_port")
        if port is None:
            return
        if arm != "free":
            session.read_back(self.name, self.wanted, bool(port.IsMklEnabled()))
        elif port.IsMklEnabled():
            self.saw(session, "oneDNN in TensorFlow")

    def torch(self, session, arm, module):
        mkldnn = module.backends.mkldnn
        if arm == "free":
            if mkldnn.is_available() and mkldnn.enabled:
                self.saw(session, "oneDNN in PyTorch")
            return
        # Where it can't be switched, there is none to be on.
        there = mkldnn.is_available()
        wanted = there and arm == "varied" and not mkldnn.enabled
        if there:
            mkldnn.set_flags(wanted)
        session.look(lambda: session.read_back(self.name, wanted, there and bool(mkldnn.enabled)))

    def saw(self, session, detail):
        key, _ = session.sightings.key(self.name, detail, False, sys._getframe(2))
        session.sightings.count((key[0], detail) + key[2:])


def switched_on():
    """Whether TensorFlow would use oneDNN here, before it is loaded."""
    asked = os.environ.get(VARIABLE)
    if asked is not None:
        return asked.strip().lower() not in ("0", "false")
    # By itself it does so on processors with instructions for neural networks.
    try:
        with open("/proc/cpuinfo") as file:
            flags = file.read()
    except OSError:
        return True
    return any(f in flags for f in ("avx512_vnni", "avx512_bf16", "avx_vnni", "amx_"))


FACTOR = Onednn()
