"""Lines of the user's code that AutoGraph runs in a copy of its own, in a temporary file."""

COPY = "__autograph_generated_file"


def origin(frame, limit=50):
    """(file, line, function) of what this frame of AutoGraph's copy was made from, or None.

    TensorFlow keeps a map of lines at the converted function, which a frame further up holds while
    it is called.
    """
    filename, line, outer = frame.f_code.co_filename, frame.f_lineno, frame.f_back
    for _ in range(limit):
        if outer is None:
            return None
        if "converted_f" in outer.f_code.co_varnames:
            lines = getattr(outer.f_locals.get("converted_f"), "ag_source_map", None) or {}
            known = [place for place in lines if place[0] == filename and place[1] <= line]
            if known:
                found = lines[max(known, key=lambda place: place[1])]
                return found.loc.filename, found.loc.lineno, found.function_name
        outer = outer.f_back
    return None
