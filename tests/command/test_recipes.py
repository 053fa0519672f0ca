"""docs/recipes.md: each script is run twice, and leaves the same bits."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.command.running import Project

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
CODE = re.compile(r"^( *)```python\n(.*?)^\1```$", re.M | re.S)
RECIPE = re.compile(r"<!-- recipe: (\w+) -->\n```python\n(.*?)```", re.S)
RECIPES = dict(RECIPE.findall(PAGE.read_text(encoding="utf-8")))
TELL = """
import hashlib
print(hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest())
"""


def told(project: Project) -> list[str]:
    """The script's own last line, and a hash of the weights it ended with."""
    done = subprocess.run(
        [sys.executable, "train.py"],
        cwd=project.folder,
        env={k: v for k, v in project.environ.items() if k != "KERAS_BACKEND"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-2:]


def test_every_backend_has_a_recipe() -> None:
    assert set(RECIPES) == {"tensorflow", "jax", "torch"}


@pytest.mark.long
@pytest.mark.subject
@pytest.mark.xdist_group("subjects")
@pytest.mark.parametrize("backend", RECIPES)
def test_a_recipe_repeats(project: Project, backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    recipe = RECIPES[backend]
    assert f'"KERAS_BACKEND"] = "{backend}"' in recipe
    project.write(recipe + TELL)
    first = told(project)
    assert first == told(project)
    unseeded = re.sub(r"^keras\.utils\.set_random_seed.*\n", "", recipe, flags=re.M)
    # Deterministic kernels refuse to draw without a seed.
    unseeded = re.sub(r"^tf\.config\.experimental.*\n", "", unseeded, flags=re.M)
    project.write(unseeded + TELL)
    assert first != told(project), "the weights repeat whatever the recipe does"


def test_other_code_of_the_page_is_python() -> None:
    blocks = [code for _, code in CODE.findall(PAGE.read_text(encoding="utf-8"))]
    assert len(blocks) > len(RECIPES)
    for block in blocks:
        ast.parse(textwrap.dedent(block))
