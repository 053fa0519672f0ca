"""How many threads the linear algebra and OpenMP libraries of this process would use, as they tell
themselves. Nothing is loaded for it: only what the subject has loaded is asked."""

import sys

from .kept import os

ASKING = (
    (
        "openblas",
        (
            "scipy_openblas_get_num_threads64_",
            "scipy_openblas_get_num_threads",
            "openblas_get_num_threads64_",
            "openblas_get_num_threads",
        ),
    ),
    ("mkl_rt", ("MKL_Get_Max_Threads",)),
    ("gomp", ("omp_get_max_threads",)),
    ("iomp", ("omp_get_max_threads",)),
    ("libomp", ("omp_get_max_threads",)),
)
"""(part of a library's file name, functions of which it has one)."""
MAPS = "/proc/self/maps"
NOT_LOADING = 4
"""RTLD_NOLOAD: a library that is there already, or none."""


def counts():
    """Pairs of a library's name and its number of threads, in the order of their names."""
    if "ctypes" not in sys.modules:
        # Whatever brings such a library has imported it; importing it here would show.
        return []
    found = []
    for path in loaded():
        for part, functions in ASKING:
            if part in os.path.basename(path):
                count = asked(path, functions)
                if count is not None:
                    found.append([os.path.basename(path).partition(".so")[0], count])
                break
    return sorted(found)


def loaded():
    """Paths of the shared libraries in this process, each once."""
    try:
        with open(MAPS, "rb") as file:
            lines = file.read().decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    paths = (line.split(None, 5)[5] for line in lines if line.count("/") and ".so" in line)
    return list(dict.fromkeys(paths))


def asked(path, functions):
    """What the first of these functions says that the library has; None where it has none."""
    # Not by `ctypes.CDLL`: what the script does with that is noted.
    from _ctypes import dlopen, dlsym

    ctypes = sys.modules["ctypes"]
    try:
        handle = dlopen(path, NOT_LOADING)
    except OSError:
        # A file that is mapped, and no library of this process.
        return None
    for name in functions:
        try:
            address = dlsym(handle, name)
        except OSError:
            continue
        return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())
    return None
