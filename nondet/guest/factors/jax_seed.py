"""Keys of JAX: made from seeds, which the script takes from somewhere."""

import sys

from .base import Factor, replace

KINDS = ("threefry2x32", "rbg", "unsafe_rbg")


class JaxSeed(Factor):
    name = "jax-seed"
    group = "consumers"
    title = "Keys of JAX"
    symptom = "Whatever a key is used for is another in every run."
    explanation = (
        "JAX has no hidden generator: every draw takes a key, and a key is made from a seed. What "
        "the seed is taken from (the clock, the operating system, another generator) is the source."
    )
    pinned = "`jax.random.key` and `PRNGKey` make their keys from fixed seeds, in order."
    varied = "From other seeds in every trial."
    off = "As pinned, since a draw must have a key."
    noticed = "By every key that is made outside a compiled function."
    consumer = True
    framework = "jax"
    advice = "Make the key from a number that stands in the script: `jax.random.key(42)`."
    references = (
        ("JAX: pseudorandom numbers", "https://docs.jax.dev/en/latest/random-numbers.html"),
        ("jax.random", "https://docs.jax.dev/en/latest/jax.random.html"),
    )
    fix = "key = jax.random.key(42)"
    fix_is_sample = True

    def unavailable(self, machine):
        return "" if machine.get("jax") else "JAX is not installed"

    def install(self, session, arm):
        session.on_import("jax.random", lambda module: self.imported(session, arm, module))

    def imported(self, session, arm, module):
        for name in ("key", "PRNGKey"):
            replace(module, name, self.making(session, arm, module, "jax.random." + name))
        replace(module, "wrap_key_data", self.wrapping(session))

    def making(self, session, arm, module, call):
        def make(original):
            def wrapper(seed, *args, **kwargs):
                value = concrete(seed)
                if value is None or isinstance(value, bytes):
                    return original(seed, *args, **kwargs)
                session.saw(self.name, call, False)
                session.seeded(self.name, call, value)
                if arm == "free":
                    return original(seed, *args, **kwargs)
                number = session.seed(self.name, "varied" if arm == "varied" else "pinned")
                made = original(number, *args, **kwargs)
                self.check(session, module, number, made)
                return made

            return wrapper

        return make

    def check(self, session, module, number, key):
        """See that the key holds the seed in its last word, as JAX' own kinds of keys do."""
        if isinstance(key, sys.modules["jax"].core.Tracer):
            return
        if str(module.key_impl(key)) in KINDS:
            words = sys.modules["numpy"].asarray(module.key_data(key))
            session.read_back(self.name, number, int(words[-1]))

    def wrapping(self, session):
        def make(original):
            def wrapper(key_bits_array, *args, **kwargs):
                value = concrete(key_bits_array)
                if value is not None:
                    session.saw(self.name, "jax.random.wrap_key_data", False)
                    session.seeded(self.name, "jax.random.wrap_key_data", value)
                return original(key_bits_array, *args, **kwargs)

            return wrapper

        return make


def concrete(seed):
    """The seed as a number, or as bytes when it is an array of several; None inside a compiled
    function, where it has no value."""
    if isinstance(seed, int):
        return int(seed)
    numpy = sys.modules["numpy"]
    jax = sys.modules["jax"]
    if isinstance(seed, jax.core.Tracer) or not isinstance(
        seed, (numpy.integer, numpy.ndarray, jax.Array)
    ):
        return None
    array = numpy.asarray(seed)
    if array.ndim == 0 and array.dtype.kind in "iu":
        return int(array)
    return array.tobytes()


FACTOR = JaxSeed()
