"""Keras' seed generators: started from a fixed state, and read back from the variable itself."""

import sys
import weakref


def hold(session, factor, arm, module, claims, held=None):
    """Start every seed generator that `claims(frame)` from a fixed state.

    `module` defines `SeedGenerator`; `frame` is the one that makes it. `held`: a set that they are
    added to.
    """
    # Factors import this module, so it can't import theirs at its top.
    from .factors.base import replace

    waiting = []

    def settle(exactly):
        """Read the states that can be read by now; later ones have counted their draws."""
        left = []
        for reference, number in waiting:
            generator = reference()
            state = None if generator is None else state_of(generator)
            if state is not None:
                seen = state if exactly else [state[0], 0]
                session.read_back(factor, [number, 0], seen)
            elif generator is not None:
                left.append((reference, number))
        waiting[:] = left

    def make(original):
        def wrapper(generator, seed=None, *args, **kwargs):
            fit = seed is None or isinstance(seed, int)
            if not fit or not claims(sys._getframe(1)):
                return original(generator, seed, *args, **kwargs)
            number = session.seed(factor, arm)
            default = module.make_default_seed

            def numbered():
                # Drawn all the same, so that what comes next in the source's stream stays there.
                default()
                return number

            module.make_default_seed = numbered
            try:
                original(generator, None if seed is None else number, *args, **kwargs)
            finally:
                module.make_default_seed = default
            generator._initial_seed = seed
            if held is not None:
                held.add(generator)
            waiting.append((weakref.ref(generator), number))
            settle(exactly=True)

        return wrapper

    replace(module.SeedGenerator, "__init__", make)
    session.first_checkpoint.append(lambda: settle(exactly=False))
    session.at_end.append(lambda: settle(exactly=False))


def state_of(generator):
    """The two numbers that a seed generator holds; None while its variable has no value."""
    from .device_values import array_of, value_of
    from .keras_hooks import outside_graphs

    value = getattr(generator.state, "_value", None)
    if value is None:
        return None
    with outside_graphs():
        return [int(number) & 0xFFFFFFFF for number in array_of(value_of(value))]
