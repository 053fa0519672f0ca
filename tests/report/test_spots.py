"""Lines of the user's code, joined for reading."""

from __future__ import annotations

from msgspec import structs

from nondet.record import Cause, Seeding, Site, SourceLine, Suspect
from nondet.report.page import spots
from tests.report import parts


def late(*before: Site, seed: Site | None = None) -> Seeding:
    given = seed or parts.site(13, "<module>", "")
    return Seeding(call="np.random.seed", site=given, fault="late", before=before)


def test_one_line_is_one_spot_with_all_its_layers() -> None:
    found = spots.of(
        [
            parts.site(8, "<module>", "random.randint", 2, what="Dense `dense`"),
            parts.site(9, "<module>", "random.random"),
            parts.site(8, "<module>", "random.randint", what="Dense `dense_1`"),
            parts.site(8, "<module>", "uuid.uuid4"),
        ]
    )
    assert [(spot.site.line, spot.uses) for spot in found] == [
        (
            8,
            (
                "random.randint, drawn for Dense `dense` and Dense `dense_1`, made here, "
                "3 times a run",
                "uuid.uuid4",
            ),
        ),
        (9, ("random.random",)),
    ]
    assert found[0].brief == (
        "random.randint for Dense `dense` and Dense `dense_1` (3 times); uuid.uuid4"
    )


def test_a_line_that_does_not_make_the_layer_is_not_said_to() -> None:
    (found,) = spots.of([parts.site(13, "<module>", "random.randint", what="Dropout `d`")])
    assert found.uses == ("random.randint, drawn for Dropout `d`",)
    (bare,) = spots.of([Site(file="a.py", line=1, function="f", what="Dropout `d`")])
    assert (bare.uses, bare.rows) == (("drawn for Dropout `d`",), ())
    assert spots.of([Site(file="a.py", line=1, function="f")])[0].uses == ()


def test_a_late_seed_and_the_draw_before_it_share_an_excerpt() -> None:
    (found,) = spots.excerpts(late(parts.site(4, "<module>", "np.random.normal")))
    assert [row.number for row in found.rows] == [2, 3, 4, 5, 6, 0, 11, 12, 13]
    marked = {row.number: row.label for row in found.rows if row.marked}
    assert marked == {4: "drew before it", 13: "the seed"}


def test_a_draw_in_another_file_has_an_excerpt_of_its_own() -> None:
    elsewhere = structs.replace(parts.site(4, "load", "np.random.normal"), file="data.py")
    assert [found.file for found in spots.excerpts(late(elsewhere))] == ["data.py", "train.py"]
    unread = structs.replace(elsewhere, source=())
    assert [found.file for found in spots.excerpts(late(unread))] == ["train.py"]


def test_a_seed_that_varies_is_marked_alone() -> None:
    drawn = parts.site(4, "<module>", "np.random.normal")
    given = structs.replace(late(drawn), fault="varies")
    (found,) = spots.excerpts(given)
    assert [(row.number, row.label) for row in found.rows if row.marked] == [(13, "")]


def test_what_a_faulty_seed_shows_is_not_shown_again() -> None:
    drew, other = parts.site(4, "<module>", "np.random.normal"), parts.site(9, "f", "x")
    cause = Cause(factor="numpy-global", sites=(drew, other), seedings=(late(drew),))
    assert [spot.site.line for spot in spots.beside_seeds(cause)] == [9]
    in_time = structs.replace(late(drew), fault="none")
    assert len(spots.beside_seeds(structs.replace(cause, seedings=(in_time,)))) == 2
    unread = structs.replace(drew, source=())
    blind = structs.replace(cause, seedings=(late(unread, seed=structs.replace(unread, line=1)),))
    assert len(spots.beside_seeds(blind)) == 2, "nothing to see in an excerpt without source"


def in_cell(cell: int, line: int, detail: str) -> Site:
    """In a notebook that is written in one line."""
    return Site(
        file="train.ipynb",
        line=1,
        function="<module>",
        source=(SourceLine(number=line, text=f"Dense({cell})"),),
        detail=detail,
        cell=cell,
        cell_line=line,
    )


def test_lines_of_a_notebook_are_told_apart_by_their_cells() -> None:
    sites = [in_cell(2, 3, "a"), in_cell(2, 4, "b"), in_cell(3, 3, "c"), in_cell(2, 3, "d")]
    found = spots.of(sites)
    assert [(spot.site.place, spot.uses) for spot in found] == [
        ("train.ipynb cell 2, line 3", ("a", "d")),
        ("train.ipynb cell 2, line 4", ("b",)),
        ("train.ipynb cell 3, line 3", ("c",)),
    ]
    (row,) = found[0].rows
    assert (row.number, row.text, row.marked) == (3, "Dense(2)", True)
    drew, seed = sites[0], sites[2]
    cells = spots.excerpts(late(drew, seed=seed))
    assert [(one.file, [row.label for row in one.rows]) for one in cells] == [
        ("train.ipynb cell 2", ["drew before it"]),
        ("train.ipynb cell 3", ["the seed"]),
    ]
    cause = Cause(factor="numpy-global", sites=tuple(sites), seedings=(late(drew, seed=seed),))
    assert [spot.site.place for spot in spots.beside_seeds(cause)] == ["train.ipynb cell 2, line 4"]


def test_suspects_by_line_and_without_one() -> None:
    line = parts.site(4, "<module>", "")
    found, loose = spots.suspected(
        [Suspect(what="a", site=line), Suspect(what="c"), Suspect(what="b", site=line)]
    )
    assert [(spot.site.line, spot.uses, spot.brief) for spot in found] == [(4, ("a", "b"), "a; b")]
    assert loose == ["c"]
