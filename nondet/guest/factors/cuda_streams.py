"""The order in which a GPU's streams do their work."""

from ..xla_flags import in_environment
from .base import ALWAYS, Factor, without_gpu

VARIABLE = "CUDA_LAUNCH_BLOCKING"


class CudaStreams(Factor):
    name = "cuda-streams"
    group = "parallelism"
    title = "Streams of a GPU"
    symptom = (
        "On a GPU, a run now and then gives a result of its own, far from the others, mostly where "
        "the script copies or computes beside its training."
    )
    explanation = (
        "A GPU works on several streams side by side. What one stream reads before another has "
        "written it is another value from run to run: a race, in the script or in a library."
    )
    because = "streams of the GPU race"
    pinned = (
        "`CUDA_LAUNCH_BLOCKING=1`: each kernel is waited for before the next one is launched, on "
        "whatever stream. Graphs of kernels that were captured before run as they are."
    )
    noticed = "A trial can't see it, so it counts as in use on a machine with a GPU."
    acts = "before-start"
    late = False
    observable = False
    instead = ("device",)
    due = (ALWAYS,)
    advice = (
        "Find the two streams, and let one wait for the other. The variable holds it, and is slow."
    )
    advices = (
        (
            "torch",
            "Find the two streams, and let one wait for the other: `stream.wait_stream(other)` and "
            "`tensor.record_stream(stream)`. The variable holds it, and is slow.",
        ),
    )
    references = (
        ("PyTorch: CUDA streams", "https://docs.pytorch.org/docs/stable/notes/cuda.html"),
        (
            "CUDA programming guide: environment variables",
            "https://docs.nvidia.com/cuda/cuda-c-programming-guide/",
        ),
    )
    launch = ((VARIABLE, "1"),)

    def environment(self, arm, number):
        return dict(self.launch) if arm == "pinned" else {}

    def unavailable(self, machine):
        return without_gpu(machine)

    def install(self, session, arm):
        if arm == "pinned":
            session.variables(lambda: session.read_back(self.name, "1", in_environment(VARIABLE)))


FACTOR = CudaStreams()
