"""Statements go behind the imports, before anything draws."""

from __future__ import annotations

import ast
import textwrap

import libcst as cst
import pytest

from nondet.patching.names import Names
from nondet.patching.patch import changed

SEED = "import keras\nkeras.utils.set_random_seed(42)"
RANDOM = "import random\nrandom.seed(42)"
TF = "import tensorflow as tf\ntf.random.set_seed(42)"
NUMPY = "import numpy as np\nnp.random.seed(42)"


def put(text: str, *snippets: str, drawing: tuple[str, ...] = ()) -> str:
    code = changed(cst.parse_module(textwrap.dedent(text)), snippets, {}, drawing, "")[0].code
    ast.parse(code)
    return code


def test_behind_the_imports_and_what_they_need() -> None:
    found = put(
        '''\
        #!/usr/bin/env python
        # A licence.
        """Trains."""

        from __future__ import annotations

        import os

        os.environ["KERAS_BACKEND"] = "jax"
        BATCH = 32  # rows
        import keras

        # The data.
        x = load()
        ''',
        SEED,
    )
    assert found == textwrap.dedent(
        '''\
        #!/usr/bin/env python
        # A licence.
        """Trains."""

        from __future__ import annotations

        import os

        os.environ["KERAS_BACKEND"] = "jax"
        BATCH = 32  # rows
        import keras

        keras.utils.set_random_seed(42)

        # The data.
        x = load()
        '''
    )


def test_imports_are_added_unless_they_are_there() -> None:
    found = put("import numpy\nfrom os import path\n\nx = numpy.ones(3)\n", NUMPY, SEED)
    assert found == (
        "import numpy\nfrom os import path\n\nimport keras\nnumpy.random.seed(42)\n"
        "keras.utils.set_random_seed(42)\n\nx = numpy.ones(3)\n"
    )


def test_the_script_s_own_names_are_used() -> None:
    found = put("from tensorflow import keras as k\nimport numpy as N\nrun()\n", NUMPY)
    assert "N.random.seed(42)" in found
    found = put(
        "import tensorflow as t\nrun()\n", "import tensorflow as tf\ntf.random.set_seed(42)"
    )
    assert found == "import tensorflow as t\n\nt.random.set_seed(42)\n\nrun()\n"


@pytest.mark.parametrize(
    "imports",
    [
        "from random import random",
        "from numpy import random",
        "from . import random",
        "import random\n\n\ndef random():\n    pass\n\n\nimport os",
    ],
)
def test_a_name_that_stands_for_something_else_stays_with_it(imports: str) -> None:
    assert put(f"{imports}\n\nrun()\n", RANDOM) == (
        f"{imports}\n\nimport random as random_module\nrandom_module.seed(42)\n\nrun()\n"
    )


@pytest.mark.parametrize(
    ("imports", "snippet", "added"),
    [
        ("import tensorflow.compat.v1 as tf", TF,
         "import tensorflow\ntensorflow.random.set_seed(42)"),
        ("import x as Faker", "from faker import Faker\nFaker.seed(1)",
         "from faker import Faker as Faker_2\nFaker_2.seed(1)"),
        ("from lib import keras", SEED,
         "import keras as keras_module\nkeras_module.utils.set_random_seed(42)"),
        # TensorFlow's Keras seeds as well, and is not the same.
        ("from tensorflow import keras", SEED, "keras.utils.set_random_seed(42)"),
        ("import tensorflow.keras as keras", SEED, "keras.utils.set_random_seed(42)"),
        ("from tensorflow import keras", "import keras\nkeras.backend.set_session(a)",
         "import keras as keras_module\nkeras_module.backend.set_session(a)"),
        ("try:\n    from tensorflow import keras\nexcept ImportError:\n    import keras", SEED,
         "keras.utils.set_random_seed(42)"),
        ("try:\n    import keras\nexcept ImportError:\n    keras = None", SEED,
         "keras.utils.set_random_seed(42)"),
        ("try:\n    import cupy as np\nexcept ImportError:\n    import numpy as np", NUMPY,
         "import numpy\nnumpy.random.seed(42)"),
        ("if TYPE_CHECKING:\n    import numpy as np", NUMPY, NUMPY),
        ("def f():\n    import numpy as np\n\n\nimport os", NUMPY, NUMPY),
        ("from lib import *", RANDOM, RANDOM),
        ("import random\nkey = lambda random: random\nimport os", RANDOM, "random.seed(42)"),
    ],
)  # fmt: skip
def test_names_are_those_that_the_script_surely_has(imports: str, snippet: str, added: str) -> None:
    assert put(f"{imports}\n\nrun()\n", snippet) == f"{imports}\n\n{added}\n\nrun()\n"


def test_an_argument_s_name_is_none_of_the_script_s() -> None:
    found = put("import numpy as n\n\nrun()\n", "import numpy as np\nnp.seed(np.a, np=np)")
    assert "\nn.seed(n.a, np=n)\n" in found


def test_a_name_that_comes_from_nowhere_is_not_free() -> None:
    found = put("from pylab import *\n\nx = random.normal()\n", RANDOM)
    assert "import random as random_module\nrandom_module.seed(42)\n" in found


def test_syntax_newer_than_this_python_is_no_obstacle() -> None:
    names = Names("import numpy as np\nif = random\n", "import numpy as np\n")
    assert names.of(["numpy"], everywhere=False) == "np"
    assert names.of(["numpy"], everywhere=True) is None
    assert not names.free("random", "random", everywhere=False)
    assert names.new("random", ["random", "random_module"]) == "random_module"


def test_an_import_that_comes_too_late_is_done_earlier() -> None:
    found = put("import os\n\nwords = os.listdir('.')\nimport keras\n", SEED)
    assert found == (
        "import os\n\nimport keras\nkeras.utils.set_random_seed(42)\n\n"
        "words = os.listdir('.')\nimport keras\n"
    )


@pytest.mark.parametrize(
    "middle",
    [
        "try:\n    import tqdm\nexcept ImportError:\n    tqdm = None\n",
        "if TYPE_CHECKING:\n    from a import b\n",
        "import sys; sys.path.insert(0, 'lib')\n",
        "def helper():\n    return draw()\n\nimport tqdm\n",
        "warnings.filterwarnings('ignore')\n",
    ],
)
def test_what_stands_among_imports(middle: str) -> None:
    found = put(f"import keras\n{middle}\nmodel = keras.Sequential()\n", SEED)
    head, _, tail = found.partition("keras.utils.set_random_seed(42)")
    assert head == f"import keras\n{middle}\n"
    assert tail == "\n\nmodel = keras.Sequential()\n"


def test_before_a_module_of_the_user_s_that_draws() -> None:
    text = "import keras\nfrom lib import data\nimport os\nfit(data)\n"
    found = put(text, SEED, drawing=("lib",))
    assert found.startswith(
        "import keras\n\nkeras.utils.set_random_seed(42)\n\nfrom lib import data\n"
    )


def test_a_script_without_imports() -> None:
    assert put("# Runs.\nrun()\n", SEED) == f"# Runs.\n\n{SEED}\n\nrun()\n"
    assert put('"""Runs."""\n', SEED) == f'"""Runs."""\n\n{SEED}\n'


def test_once_is_enough() -> None:
    assert put("import keras\nrun()\n", SEED, SEED).count("set_random_seed") == 1
    assert put("import keras\nrun()\n") == "import keras\nrun()\n"


def test_windows_line_ends_stay() -> None:
    found = put("import keras\r\nrun()\r\n", SEED)
    assert found == "import keras\r\n\r\nkeras.utils.set_random_seed(42)\r\n\r\nrun()\r\n"
