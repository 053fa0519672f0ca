"""Notebooks for tests, written as Jupyter writes them, and run in a real kernel."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import v4

KERNEL = """
import sys
import tempfile
import jupyter_client
import nbclient
import nbformat
book = nbformat.read(sys.argv[1], as_version=4)
here = {"metadata": {"path": "."}}
with tempfile.TemporaryDirectory() as folder:
    # Ports of TCP are chosen before they are taken: another process may be faster.
    kernel = jupyter_client.AsyncKernelManager(
        kernel_name="python3", transport="ipc", ip=folder + "/kernel"
    )
    nbclient.NotebookClient(book, km=kernel, startup_timeout=300, resources=here).execute()
if sys.argv[2:]:
    nbformat.write(book, sys.argv[1])
for cell in book.cells:
    for output in cell.get("outputs", ()):
        if output.output_type == "stream" and output.name == "stdout":
            print(output.text, end="")
"""


def written(path: Path, *sources: str, tags: Sequence[str] = (), **metadata: object) -> Path:
    """A notebook with a heading and these code cells, dedented; the tags are the last one's."""
    cells = [v4.new_code_cell(textwrap.dedent(source).strip("\n")) for source in sources]
    if tags:
        cells[-1].metadata.tags = list(tags)
    book = v4.new_notebook(cells=[v4.new_markdown_cell("# A heading"), *cells])
    book.metadata.update(metadata or {"kernelspec": SPEC})
    nbformat.write(book, path)
    return path


SPEC = {"name": "python3", "language": "python", "display_name": "Python 3"}


def in_a_kernel(path: Path, keep: bool = False) -> str:
    """What the cells print in a kernel of this interpreter, in the notebook's own folder. `keep`:
    the file gets their outputs."""
    done = subprocess.run(
        [sys.executable, "-c", KERNEL, path.name, *(["keep"] if keep else [])],
        cwd=path.parent,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
