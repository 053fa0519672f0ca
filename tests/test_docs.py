"""The documentation says what the code does: generated parts, messages, links."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import rich_click as click

from nondet import record
from nondet.cli import INTERRUPTED, diagnose, repeat
from nondet.guest.factors import REGISTRY
from nondet.host import events, trials
from tests.benchmarks import factor_table

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
AGAIN = "run `python -m tests.benchmarks.factor_table`"
RAISING = ("UsageError", "BrokenSubject", "ExecutorError", "complain")
MACHINE = re.compile(r"(?<![\w.:/-])/(?:home|work|root|tmp|Users|mnt|opt|srv|var)/[\w.-]+")


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# -- generated parts


def test_factor_page_is_up_to_date() -> None:
    assert text(factor_table.FACTORS) == factor_table.factors_page(), AGAIN


def test_every_factor_is_explained_once() -> None:
    for factor in REGISTRY:
        assert factor.pinned and factor.free and factor.noticed, factor.name
        assert factor.symptom and factor.explanation and factor.advice, factor.name
        assert factor.references, factor.name
        for title, address in factor.references:
            assert title and re.fullmatch(r"https://[\w./#?=()+%-]+", address), (
                factor.name,
                address,
            )
    assert {factor.group for factor in REGISTRY} <= set(factor_table.GROUPS)
    assert {factor.acts for factor in REGISTRY} <= set(factor_table.ACTS)


def words(help_text: str) -> list[str]:
    """What a help text says, whatever frame the installed rich-click draws around it."""
    return sorted(re.sub(r"[\u2500-\u257f]", " ", help_text).split())


def test_every_command_has_its_help_in_the_docs() -> None:
    shown = [match[2] for match in factor_table.BLOCK.finditer(text(factor_table.COMMAND))]
    assert shown[0] == "nondet"
    assert sorted(shown) == sorted(factor_table.command_names())


@pytest.mark.parametrize("command", factor_table.command_names())
def test_help_in_the_docs_is_what_the_command_prints(command: str) -> None:
    start = f"<!-- help: {command} -->\n```text\n"
    block = text(factor_table.COMMAND).partition(start)[2].partition("\n```\n")[0]
    assert words(block) == words(factor_table.help_text(command)), AGAIN


def test_every_option_is_explained() -> None:
    prose = factor_table.BLOCK.sub("", text(factor_table.COMMAND))
    for command in (diagnose, repeat):
        section = prose.partition(f"\n## nondet {command.name}\n")[2].partition("\n## ")[0]
        for option in command.params:
            if isinstance(option, click.Option):
                assert f"**`{option.opts[0]}`**" in section, (command.name, option.opts)


def test_exit_codes_are_the_same_everywhere() -> None:
    page, readme = text(factor_table.COMMAND), text(ROOT / "README.md")
    for verdict, code in record.EXIT_CODES.items():
        assert f"| {code} | `{verdict}` |" in page
    codes = re.findall(r"^\| (\d+) \|", page, re.M)
    assert {str(code) for code in (*record.EXIT_CODES.values(), 2, INTERRUPTED)} <= set(codes)
    assert re.findall(r"^\| (\d+) \|", readme, re.M) == codes


# -- messages


def strings(node: ast.expr) -> Iterator[str]:
    """The slugs that an expression can be: a constant, or a look-up in a table with a default."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from strings(value)
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "get"
    ):
        yield from strings(node.func.value)
        yield from strings(node.args[1])
    else:
        raise AssertionError(f"a slug that can't be read from the code: {ast.unparse(node)}")


def slugs_in(tree: ast.Module) -> Iterator[str]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        given: list[ast.expr] = []
        if call.func.id in RAISING:
            given = call.args[:1]
        for slug in given:
            if isinstance(slug, ast.Attribute):  # handed on from another error
                continue
            if isinstance(slug, ast.Name):
                for assigned in values_of(tree, slug.id):
                    yield from strings(assigned)
            else:
                yield from strings(slug)
    for keyword in ast.walk(tree):
        if isinstance(keyword, ast.keyword) and keyword.arg == "slug":
            yield from () if isinstance(keyword.value, ast.Attribute) else strings(keyword.value)


def values_of(tree: ast.Module, variable: str) -> list[ast.expr]:
    """What is assigned to a variable of that name."""
    found = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == variable for t in node.targets)
    ]
    assert found, f"no assignment to {variable}"
    return found


def test_every_message_has_an_entry_and_every_entry_a_message() -> None:
    modules = [p for p in (ROOT / "nondet").rglob("*.py") if "guest" not in p.parts]
    used = {slug for path in modules for slug in slugs_in(ast.parse(text(path)))}
    page = text(DOCS / "messages.md").partition("## Notes in a report")[0]
    explained = re.findall(r"^### (.+)$", page, re.M)
    assert len(explained) == len(set(explained))
    assert set(explained) == used


def test_every_entry_has_cause_and_cure() -> None:
    page = text(DOCS / "messages.md").partition("## Notes in a report")[0]
    for entry in re.split(r"^### ", page, flags=re.M)[1:]:
        assert entry.count("**Cause.**") == 1, entry
        assert entry.count("**Cure.**") == 1, entry


# -- the file format


def test_every_field_of_the_record_is_in_the_docs() -> None:
    page = text(DOCS / "file-format.md").partition("## diagnosis.json")[2]
    sections = {
        part.partition("\n")[0]: part for part in re.split(r"^##+ ", page, flags=re.M) if part
    }
    named = {"QuestionRecord": "Question"}
    for kind in record.Base.__subclasses__():
        if kind is record.SourceLine:
            continue
        body = sections[named.get(kind.__name__, kind.__name__)]
        for field in msgspec.structs.fields(kind):
            assert f"`{field.encode_name}`" in body, f"{kind.__name__}.{field.name}"


def test_every_event_is_in_the_docs() -> None:
    page = text(DOCS / "file-format.md").partition("\n## events.jsonl\n")[2]
    for kind in events.Event.__subclasses__():
        row = re.search(rf"^\| `{kind.__struct_config__.tag}` \|.*$", page, re.M)
        assert row is not None, kind
        for field in kind.__struct_fields__:
            assert f"`{field}`" in row[0], f"{kind.__name__}.{field}"


def test_every_field_of_trial_json_is_in_the_docs() -> None:
    body = text(DOCS / "file-format.md").partition("\n## trial.json\n")[2].partition("\n## ")[0]
    for field in trials.Saved.__struct_fields__:
        assert f"`{field}`" in body, field


# -- figures


def rows(page: str, start: str) -> list[list[str]]:
    """The cells of the rows of the table that begins with this line, without its head."""
    table = text(DOCS / page).partition(start)[2].partition("\n\n")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_figures_of_the_comparison_are_those_of_the_search() -> None:
    measured = {
        (rate, tool): cells.split(", ")
        for rate, tool, _, cells, _ in rows(
            "searching.md", "| rate | tool | 8 factors | 16 factors | 32 factors |"
        )
    }
    shown = rows("comparison.md", "| in every fifth run |")
    assert len(shown) == 7
    for tool, always, half, false, fifth in shown:
        for cell, rate in ((always, "1"), (half, "0.5"), (fifth, "0.2")):
            recall, _, runs = measured[rate, tool]
            assert cell == f"{float(recall) * 100:.3g} %, {runs}", tool
        assert false == measured["0.5", tool][1], tool


# -- links and paths


def anchors(page: str) -> set[str]:
    """The fragments that headings of a page get."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", page, re.M):
        kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(kept.replace(" ", "-"))
    return found


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_resolve(path: Path) -> None:
    prose = re.sub(r"```.*?```", "", text(path), flags=re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, fragment = link.partition("#")
        goal = (path.parent / target).resolve() if target else path
        assert goal.exists(), f"{name(path)} links to {link}"
        assert goal.is_relative_to(ROOT), f"{name(path)} links to {link}"
        if fragment:
            assert fragment in anchors(text(goal)), f"{name(path)} links to {link}"


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_no_page_names_a_path_of_one_machine(path: Path) -> None:
    assert not MACHINE.findall(text(path))


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or not page.exists():
            continue
        reached.add(page)
        waiting += [
            (page.parent / link).resolve()
            for link in re.findall(r"\]\(([^)\s#:]+\.md)", text(page))
        ]
    assert set(DOCS.glob("*.md")) <= reached


def test_the_readme_counts_the_factors() -> None:
    (told,) = re.findall(r"\[(\d+) factors\]", text(ROOT / "README.md"))
    assert int(told) == len(REGISTRY)
