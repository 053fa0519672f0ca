"""Entry: ``PYTHON .../nondet/guest PLAN.json``, ``--describe OUT.json SCRIPT``,
``--describe OUT.json -m MODULE``, ``--examine LIBRARY OUT.json`` or
``--parent SETTINGS.json SOCKET``."""

import os
import sys

NAME = "_nondet_guest"


def load():
    """Load this folder as a package under a name that no script imports by accident.

    The interpreter put this folder first on `sys.path`; it must not stay there, since a script
    may have modules named like ours.
    """
    import importlib.util

    folder = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == folder:
        del sys.path[0]
    spec = importlib.util.spec_from_file_location(
        NAME, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    load()
    import importlib

    if sys.argv[1] == "--describe":
        importlib.import_module(NAME + ".describe").main(
            sys.argv[2], sys.argv[-1], module=sys.argv[3] == "-m"
        )
    elif sys.argv[1] == "--examine":
        importlib.import_module(NAME + ".examining").main(sys.argv[2], sys.argv[3])
    elif sys.argv[1] == "--parent":
        importlib.import_module(NAME + ".parent").main(sys.argv[2], sys.argv[3])
    else:
        importlib.import_module(NAME + ".running").main(sys.argv[1])
