"""A notebook's cells, run in this process by IPython's own shell as a kernel runs them.

Each cell's code has a name of its own, ``/data/train.ipynb cell 3``, and the lines that it has in
the notebook. So tracebacks, and whatever is seen at a line, tell the cell and the line in it.
"""

import json
import os
import sys

SUFFIX = ".ipynb"
TIMED = ("<timed exec>", "<timed eval>")
"""How ``%time`` and ``%%time`` name what they compile: the cell's own lines."""
INLINE = "module://matplotlib_inline.backend_inline"
AWAITING = 0x2000 if sys.version_info >= (3, 8) else 0
"""`ast.PyCF_ALLOW_TOP_LEVEL_AWAIT`, which Python has since 3.8."""


class Cell(object):
    """A code cell. Cells count from 1, as a run from the top numbers them: empty ones don't."""

    def __init__(self, path, number, source, tags):
        self.name = "%s cell %d" % (path, number)
        self.source = source
        self.lines = source.split("\n")
        self.may_fail = "raises-exception" in tags
        self.made = None
        """What IPython makes of the source, once it is to run: Python, without magics."""
        self.ran = []
        """The Python that ran, each line at the number that it has in the cell."""

    def take(self, code, numbers):
        """Note what is made of the cell, or of a part of it, in lines with these numbers."""
        import linecache

        self.ran = self.ran or [""] * len(self.lines)
        for line, number in reversed(list(zip(code.split("\n"), numbers))):
            self.ran[number - 1] = line
        lines = [line + "\n" for line in self.ran]
        # Without a time, these lines outlast `linecache.checkcache`. AutoGraph reads them.
        linecache.cache[self.name] = (sum(map(len, lines)), None, lines, self.name)


def read(path):
    """The code cells of a notebook, without empty ones."""
    with open(path, "rb") as file:
        found = json.loads(file.read().decode("utf-8-sig"))
    cells = []
    for each in found["cells"]:
        source = "".join(each.get("source", ()))
        if each.get("cell_type") == "code" and source.strip():
            source = source.replace("\r\n", "\n").replace("\r", "\n")
            tags = each.get("metadata", {}).get("tags", ())
            cells.append(Cell(path, len(cells) + 1, source, tags))
    return cells


def run(cells, module, folder):
    """Run the cells in order, within one event loop as in a kernel, until one fails; its error is
    raised. `module` is what they see as ``__main__``, `folder` any that exists."""
    import asyncio

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    error = loop.run_until_complete(each_in_turn(cells, shell_for(module, folder)))
    if error is not None:
        names = frozenset(cell.name for cell in cells)
        raise error.with_traceback(from_cell(error.__traceback__, names))


async def each_in_turn(cells, shell):
    """The error that ends the notebook, or None."""
    for cell in cells:
        shell.compile.cell = cell
        failure = None
        try:
            cell.made = shell.transform_cell(cell.source)
        except Exception:
            cell.made, failure = cell.source, sys.exc_info()
        try:
            result = await shell.run_cell_async(
                cell.source,
                store_history=True,
                transformed_cell=cell.made,
                preprocessing_exc_tuple=failure,
            )
        finally:
            shell.events.trigger("post_execute")
        shell.events.trigger("post_run_cell", result)
        error = result.error_before_exec or result.error_in_exec
        if error is not None and not (cell.may_fail and isinstance(error, Exception)):
            return error
        if shell.exit_now:
            break
    return None


def shell_for(module, folder):
    """A shell that reads and writes nothing outside the working folder: no history, no profile."""
    from IPython.core.compilerop import CachingCompiler
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.profiledir import ProfileDir
    from traitlets.config import Config

    class Compiler(CachingCompiler):
        """Names what it compiles by its cell, with the lines that the cell has."""

        cell = None

        def cache(self, code, *args, **kwargs):
            lines = lines_of(code, self.cell) if self.cell is not None else ()
            if not lines:
                return CachingCompiler.cache(self, code, *args, **kwargs)
            self.cell.take(code, lines)
            return self.cell.name

        def ast_parse(self, source, filename="<unknown>", symbol="exec"):
            cell = self.cell
            if cell is None or filename not in (cell.name, "<unknown>"):
                return CachingCompiler.ast_parse(self, source, filename, symbol)
            lines = lines_of(source, cell) or [running_line(cell.name)]
            if filename != cell.name:
                # A part, which stands as a string in what was made of the whole.
                cell.take(source, lines)
            try:
                tree = CachingCompiler.ast_parse(self, source, filename, symbol)
            except SyntaxError as error:
                if error.lineno:
                    error.lineno = at(lines, error.lineno)
                raise
            move(tree, lines)
            return tree

        def __call__(self, source, filename, *args, **kwargs):
            if self.cell is not None and filename in TIMED:
                filename = self.cell.name
            return CachingCompiler.__call__(self, source, filename, *args, **kwargs)

    class Shell(InteractiveShell):
        nested = 0

        def enable_gui(self, gui=None):
            """There is no window to serve."""

        def ask_exit(self):
            self.exit_now = True

        def run_cell(self, *args, **kwargs):
            """What magics call; our own cells go to `run_cell_async`."""
            self.nested += 1
            try:
                return InteractiveShell.run_cell(self, *args, **kwargs)
            finally:
                self.nested -= 1

        def showtraceback(self, *args, **kwargs):
            """An error that ends the notebook is told where it is raised again; others by IPython,
            such as one that ``%%time`` keeps to itself in older versions."""
            ends = "running_compiled_code" in kwargs or "exception_only" in kwargs
            if self.nested or not ends:
                InteractiveShell.showtraceback(self, *args, **kwargs)

        def showsyntaxerror(self, *args, **kwargs):
            if self.nested:
                InteractiveShell.showsyntaxerror(self, *args, **kwargs)

        showindentationerror = showsyntaxerror

    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    shell = Shell.instance(
        config=config, user_module=module, ipython_dir=folder, profile_dir=ProfileDir()
    )
    shell.compile = Compiler()
    return shell


def choose_backend():
    """As a kernel does: figures are no windows."""
    import importlib.util

    inline = importlib.util.find_spec("matplotlib_inline") is not None
    os.environ.setdefault("MPLBACKEND", INLINE if inline else "agg")


def lines_of(code, cell):
    """The number in the cell of each line of `code`: what was made of the cell, or of a part of it.

    Empty when it is neither.
    """
    made = code.split("\n")
    if made == cell.lines:
        return list(range(1, len(made) + 1))
    return aligned(made, cell.lines, whole=code == cell.made)


def aligned(made, own, whole=True):
    """For each line of `made` the number of the line of `own` that it comes from. Magics become
    calls, several lines may become one, and indentation goes. Empty when less than half is found,
    unless it is made of the `whole`."""
    import difflib

    stripped = [line.strip() for line in made], [line.strip() for line in own]
    found, known = [], 0
    for kind, i, end, j, until in difflib.SequenceMatcher(None, *stripped, False).get_opcodes():
        known += sum(map(bool, stripped[0][i:end])) if kind == "equal" else 0
        last = max(j, until - 1)
        found += [min(min(j + place, last) + 1, len(own)) for place in range(end - i)]
    return found if whole or 2 * known >= max(1, sum(map(bool, stripped[0]))) else []


def at(lines, number):
    return lines[min(number, len(lines)) - 1]


def move(tree, lines):
    """Give all nodes of a syntax tree the lines of the cell."""
    import ast

    for node in ast.walk(tree):
        if getattr(node, "lineno", None) is None:
            continue
        several = getattr(node, "end_lineno", None) not in (None, node.lineno)
        node.lineno = at(lines, node.lineno)
        if getattr(node, "end_lineno", None) is not None:
            node.end_lineno = at(lines, node.end_lineno)
            if several and node.end_lineno == node.lineno:
                # Lines that became one: the compiler refuses a node that ends before it begins.
                node.end_col_offset = max(node.end_col_offset, node.col_offset)


def running_line(name):
    """The line of this cell that runs now."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == name:
            return frame.f_lineno
        frame = frame.f_back
    return 1


def from_cell(trace, names):
    """The traceback from the first line of a cell on, less IPython's own frames: those are not the
    user's."""
    import IPython

    shell, kept = os.path.join(os.path.dirname(IPython.__file__), ""), []
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file in names or (kept and not file.startswith(shell)):
            kept.append(trace)
        trace = trace.tb_next
    for entry, following in zip(kept, kept[1:] + [None]):
        entry.tb_next = following
    return kept[0] if kept else None
