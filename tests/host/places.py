"""Places in a user's code where something was seen."""

from __future__ import annotations

from msgspec import structs

from nondet import record


def site(detail: str, line: int = 3) -> record.Site:
    return record.Site(file="train.py", line=line, function="<module>", detail=detail)


def seeding(call: str, fault: str = "varies") -> record.Seeding:
    return record.Seeding(call=call, site=site(""), fault=fault)  # type: ignore[arg-type]


def taken(detail: str, line: int, text: str = "") -> record.Site:
    text = text or f"seed = option or {detail}()"
    source = (record.SourceLine(number=line, text=text),)
    return structs.replace(site(detail, line), source=source)
