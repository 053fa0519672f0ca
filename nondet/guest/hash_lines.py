"""Where a program's source takes up the order of a set, or the value of `hash()`.

Read from the syntax tree: no process can see that an order it meets is another in the next one.
Names are followed within their function, class and module; what comes from elsewhere is not.
"""

import _ast as ast

ONLY_TREE = 0x400
"""`ast.PyCF_ONLY_AST`. `ast` itself stays unimported: the script could see that."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
SCOPES = FUNCTIONS + (ast.ClassDef,)
SET, HOLDER = "a set", "a dict or list of sets"
PASSES = 8
SETS = ("set", "frozenset")
SET_METHODS = (
    "union", "intersection", "difference", "symmetric_difference", "copy", "setdefault", "get",
)  # fmt: skip
COMBINING = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
ANNOTATIONS = ("set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet")
INDIFFERENT = frozenset((
    "sorted", "len", "sum", "min", "max", "any", "all", "bool", "set", "frozenset", "isinstance",
    "print", "id", "type", "repr", "unique", "sort", "add", "discard", "remove", "update", "union",
    "intersection", "difference", "symmetric_difference", "issubset", "issuperset", "isdisjoint",
    "intersection_update", "difference_update", "symmetric_difference_update", "append", "format",
    "copy", "deepcopy", "setdefault", "get", "defaultdict", "info", "debug", "warning", "fsum",
    "assertEqual", "assertIn", "cast", "field", "as_completed", "wait", "gather",
    "getattr",
))  # fmt: skip
"""Functions and methods to which the order of a set they are given makes no difference."""
WALKING = {
    "list": "makes a list of", "tuple": "makes a tuple of", "enumerate": "enumerates",
    "fromkeys": "makes a dict of", "join": "joins", "array": "makes an array of",
    "fromiter": "makes an array of", "asarray": "makes an array of",
}  # fmt: skip


class Scope(object):
    """What the names of a module, a class or a function are bound to, and where."""

    def __init__(self, name, parent, nodes):
        self.name = name
        self.parent = parent
        self.nodes = nodes
        self.bindings = {}
        """By name and place: the last line of the binding, whether it always happens, its kind."""
        self.sorted_later = set()

    def bind(self, name, until, always, kind):
        """Whether that is news."""
        places = self.bindings.setdefault(name, {})
        news = places.get(until) != (always, kind)
        places[until] = (always, kind)
        return news

    def kind(self, name, line):
        """`SET`, `HOLDER` or None: what a name holds when this line uses it."""
        scope = self
        while scope is not None:
            bound = scope.bindings.get(name)
            if bound:
                before = [until for until in bound if until < line] or list(bound)
                for until in sorted(before, reverse=True):
                    always, kind = bound[until]
                    if kind is not None or always:
                        return kind
                return None
            # Code within runs later, when the names around it have their last values.
            scope, line = scope.parent, float("inf")
        return None


def read(source, path, flags=0):
    """Triples (line, function, what) of a program, in the order of its lines. `flags`: what else
    the compiler is to take."""
    tree = compile(source, path, "exec", ONLY_TREE | flags, True)
    reader = Reader(tree)
    return sorted(reader.found)


class Reader(object):
    def __init__(self, tree):
        self.attributes = {}
        """Of `self`, in any class, by name and assignment: the kind of what is assigned."""
        self.imported = set()
        """Names of what is imported, whose attributes are others'."""
        self.returning = set()
        """Functions and methods of this module that return a set."""
        self.functions = {}
        self.scopes = {}
        self.news = True
        self.found = set()
        self.module = self.scope(tree, None)
        # What one function returns or is given bears on others: until nothing new is learnt.
        for _ in range(PASSES):
            if not self.news:
                break
            self.news = False
            for node, scope in list(self.scopes.items()):
                self.learn(node, scope)
        self.report(tree.body, self.module)

    def scope(self, node, parent):
        """The scope of a module, function or class, with all that lie within it."""
        nodes = []
        made = Scope(getattr(node, "name", "<lambda>" if parent else "<module>"), parent, nodes)
        self.scopes[node] = made
        if isinstance(node, FUNCTIONS) and not isinstance(node, ast.Lambda):
            self.functions[node.name] = node
        body = body_of(node)
        nodes.extend((inner, inner in body) for inner in inside(body))
        for inner, _ in nodes:
            if isinstance(inner, SCOPES):
                self.scope(inner, made)
            elif isinstance(inner, (ast.Import, ast.ImportFrom)):
                names = [name.asname or name.name.partition(".")[0] for name in inner.names]
                self.imported.update(names)
        return made

    # -- what is a set

    def is_set(self, node, scope):
        if isinstance(node, ast.Set):
            return not all(number(item) for item in node.elts)
        if isinstance(node, ast.SetComp):
            return not of_numbers(node.generators[0].iter)
        if isinstance(node, ast.Name):
            return scope.kind(node.id, node.lineno) is SET
        if isinstance(node, ast.Attribute):
            return self.attribute(node) is SET
        if isinstance(node, ast.Subscript):
            return self.holds_sets(node.value, scope)
        if isinstance(node, ast.BinOp) and isinstance(node.op, COMBINING):
            return any(self.is_set(n, scope) or view(n) for n in (node.left, node.right))
        if isinstance(node, ast.IfExp):
            return self.is_set(node.body, scope) or self.is_set(node.orelse, scope)
        if isinstance(node, ast.BoolOp):
            return any(self.is_set(value, scope) for value in node.values)
        if isinstance(node, ast.Call):
            return self.makes_set(node, scope)
        return type(node).__name__ == "NamedExpr" and self.is_set(node.value, scope)

    def attribute(self, node):
        """The kind of an attribute of `self`, or of what has one of that name in this module, where
        all that is assigned to it agrees."""
        named = isinstance(node.value, ast.Name) and node.value.id not in self.imported
        kinds = set(self.attributes.get(node.attr, {}).values()) if named else ()
        return kinds.pop() if len(kinds) == 1 else None

    def kind(self, node, scope):
        if self.is_set(node, scope):
            return SET
        return HOLDER if self.holds_sets(node, scope) else None

    def makes_set(self, call, scope):
        name = called(call)
        if isinstance(call.func, ast.Name):
            if name in SETS:
                return not call.args or not of_numbers(call.args[0])
            return name in self.returning
        if not isinstance(call.func, ast.Attribute):
            return False
        owner = call.func.value
        if name in ("setdefault", "get"):
            default = len(call.args) > 1 and self.is_set(call.args[1], scope)
            return default or self.holds_sets(owner, scope)
        if name == "pop":
            return self.holds_sets(owner, scope)
        if name in SET_METHODS:
            return self.is_set(owner, scope) or (isinstance(owner, ast.Name) and owner.id in SETS)
        return name in self.returning and of_self(call.func)

    def holds_sets(self, node, scope):
        """Whether this is a dict or a list of sets."""
        if isinstance(node, ast.Name):
            return scope.kind(node.id, node.lineno) is HOLDER
        if isinstance(node, ast.Attribute):
            return self.attribute(node) is HOLDER
        if isinstance(node, ast.Dict):
            return any(self.is_set(value, scope) for value in node.values)
        if isinstance(node, ast.DictComp):
            return self.is_set(node.value, scope)
        if isinstance(node, (ast.List, ast.Tuple)):
            return any(self.is_set(item, scope) for item in node.elts)
        if isinstance(node, ast.ListComp):
            return self.is_set(node.elt, scope)
        if isinstance(node, ast.Call):
            if called(node) == "defaultdict" and node.args:
                made = node.args[0]
                return isinstance(made, ast.Name) and made.id in SETS
            values = called(node) == "values" and isinstance(node.func, ast.Attribute)
            return values and self.holds_sets(node.func.value, scope)
        return False

    # -- learning the names

    def learn(self, owner, scope):
        if isinstance(owner, FUNCTIONS):
            for argument in arguments(owner):
                kind = SET if annotated(argument.annotation) else None
                if kind or argument.arg not in scope.bindings:
                    self.news |= scope.bind(argument.arg, owner.lineno, True, kind)
        for node, always in scope.nodes:
            if isinstance(node, (ast.Assign, ast.AnnAssign)):
                self.learn_assignment(node, scope, always)
            elif isinstance(node, ast.AugAssign) and isinstance(node.op, COMBINING):
                if self.is_set(node.value, scope):
                    self.bind(node.target, SET, node, scope, False)
            elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
                self.learn_loop(node.target, node.iter, scope)
            elif isinstance(node, ast.Return) and node.value is not None:
                if scope.name not in self.returning and self.is_set(node.value, scope):
                    self.returning.add(scope.name)
                    self.news = True
            elif isinstance(node, ast.Call):
                self.learn_call(node, scope)
            elif type(node).__name__ == "NamedExpr":
                self.bind(node.target, self.kind(node.value, scope), node, scope, False)

    def learn_assignment(self, node, scope, always):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self.assign(target, node.value, node, scope, always)
        elif annotated(node.annotation):
            self.bind(node.target, SET, node, scope, always)
        elif node.value is not None:
            self.assign(node.target, node.value, node, scope, always)

    def assign(self, target, value, node, scope, always):
        if not isinstance(target, (ast.Tuple, ast.List)):
            self.bind(target, self.kind(value, scope), node, scope, always, value)
            return
        several = isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts)
        for place, one in enumerate(target.elts):
            if several:
                self.assign(one, value.elts[place], node, scope, always)
            else:
                self.bind(one, None, node, scope, always)

    def bind(self, target, kind, node, scope, always, value=None):
        if isinstance(target, ast.Name):
            until = getattr(node, "end_lineno", None) or node.lineno
            self.news |= scope.bind(target.id, until, always, kind)
        elif isinstance(target, ast.Attribute) and of_self(target):
            if type(value).__name__ not in ("Constant", "NameConstant"):
                places = self.attributes.setdefault(target.attr, {})
                self.news |= places.get(node, self) is not kind
                places[node] = kind
        elif isinstance(target, ast.Subscript) and kind is SET:
            self.bind(target.value, HOLDER, node, scope, False)

    def learn_loop(self, target, walked, scope):
        """The names of a loop over what holds sets."""
        kind, bound = None, [target]
        if isinstance(walked, ast.Call) and called(walked) in ("items", "enumerate"):
            owner = getattr(walked.func, "value", None)
            if called(walked) == "enumerate":
                owner = walked.args[0] if walked.args else None
            if isinstance(target, (ast.Tuple, ast.List)) and len(target.elts) == 2:
                bound = target.elts[1:]
            kind = SET if owner is not None and self.holds_sets(owner, scope) else None
        elif isinstance(walked, (ast.Call, ast.List, ast.Tuple, ast.ListComp)):
            # A loop over a dict itself walks its keys.
            kind = SET if self.holds_sets(walked, scope) else None
        for one in bound:
            if isinstance(one, ast.Name):
                # In force in the lines of the loop, of which this is the first.
                self.news |= scope.bind(one.id, one.lineno - 0.5, False, kind)

    def learn_call(self, call, scope):
        """What a function of this module is given, it has by the name of its parameter."""
        owner = getattr(call.func, "value", None)
        if called(call) == "sort" and isinstance(owner, ast.Name):
            scope.sorted_later.add(owner.id)
        elif called(call) == "setdefault" and len(call.args) == 2 and self.makes_set(call, scope):
            self.bind(owner, HOLDER, call, scope, False)
        target = self.functions.get(called(call))
        if target is None:
            return
        names = [argument.arg for argument in arguments(target)]
        if isinstance(call.func, ast.Attribute) and names[:1] == ["self"]:
            names = names[1:]
        count = min(len(names), len(call.args))
        given = [(names[place], call.args[place]) for place in range(count)]
        given += [(word.arg, word.value) for word in call.keywords if word.arg in names]
        for name, value in given:
            kind = self.kind(value, scope)
            if kind is not None:
                self.news |= self.scopes[target].bind(name, target.lineno, True, kind)

    # -- reporting

    def tell(self, node, scope, what):
        while scope.name == "<lambda>":
            scope = scope.parent
        self.found.add((node.lineno, scope.name, what))

    def report(self, body, scope, indifferent=False):
        """`indifferent`: what is made here goes where its order makes no difference."""
        for node in body:
            self.report_one(node, scope, indifferent)

    def report_one(self, node, scope, indifferent=False):
        if isinstance(node, SCOPES):
            if getattr(node, "name", "") != "__hash__":
                self.report(body_of(node), self.scopes[node])
            return
        if isinstance(node, (ast.For, ast.AsyncFor)) and self.is_set(node.iter, scope):
            self.tell(node.iter, scope, "iterates over a set")
        elif isinstance(node, (ast.ListComp, ast.GeneratorExp, ast.DictComp)):
            for part in node.generators:
                if not indifferent and self.is_set(part.iter, scope):
                    self.tell(part.iter, scope, "iterates over a set")
        elif isinstance(node, (ast.Starred, ast.YieldFrom)) and self.is_set(node.value, scope):
            if not indifferent:
                self.tell(node, scope, "unpacks a set")
        elif isinstance(node, ast.Assign):
            unpacked = any(isinstance(t, (ast.Tuple, ast.List)) for t in node.targets)
            if unpacked and self.is_set(node.value, scope):
                self.tell(node, scope, "unpacks a set")
            names = [t.id for t in node.targets if isinstance(t, ast.Name)]
            indifferent = any(name in scope.sorted_later for name in names)
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
            if self.is_set(node.value, scope):
                self.tell(node, scope, "iterates over a set")
        elif isinstance(node, ast.Name) and node.id == "hash":
            self.tell(node, scope, "hash()")
        elif isinstance(node, ast.Call):
            self.report_call(node, scope, indifferent)
            return
        if not isinstance(node, (ast.Assign, ast.Starred, ast.List, ast.Tuple)):
            indifferent = isinstance(node, ast.SetComp)
        self.report(children(node), scope, indifferent)

    def report_call(self, call, scope, indifferent):
        name, owner = called(call), getattr(call.func, "value", None)
        if name == "hash" and isinstance(call.func, ast.Name):
            if call.args and not number(call.args[0]):
                self.tell(call, scope, "hash()")
            self.report(call.args, scope)
            return
        if name == "pop" and not call.args and owner is not None and self.is_set(owner, scope):
            self.tell(call, scope, "takes any element of a set")
        passed = list(call.args) + [word.value for word in call.keywords]
        given = self.functions.get(name)
        harmless = indifferent and name in WALKING
        if name not in INDIFFERENT and given is None and not harmless:
            for argument in passed:
                if self.is_set(argument, scope):
                    if name in ("iter", "next"):
                        what = "takes any element of a set"
                    elif name in WALKING:
                        what = WALKING[name] + " a set"
                    else:
                        what = "gives a set to %s()" % name if name else "gives a set away"
                    self.tell(argument, scope, what)
        # `list` and the like hand on to `sorted` what they are given.
        inner = name in INDIFFERENT or harmless
        self.report([call.func], scope)
        self.report(passed, scope, inner)


def called(call):
    """The last part of the name of what is called, or an empty string."""
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def of_self(attribute):
    return isinstance(attribute.value, ast.Name) and attribute.value.id in ("self", "cls")


def view(node):
    """``d.keys()``: with an operator it becomes a set."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("keys", "items")
    )


def number(node):
    """Whether this is a number as it stands, whose hash is the same in every process."""
    if type(node).__name__ == "UnaryOp":
        node = node.operand
    value = getattr(node, "value", getattr(node, "n", None))
    return type(node).__name__ in ("Constant", "Num") and isinstance(value, (int, float, complex))


def of_numbers(node):
    """Whether all that comes out of this surely is numbers."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return bool(node.elts) and all(number(item) for item in node.elts)
    return isinstance(node, ast.Call) and called(node) in ("range", "arange")


def annotated(node):
    """Whether an annotation says that this is a set."""
    if isinstance(node, ast.Subscript):
        node = node.value
    name = getattr(node, "id", getattr(node, "attr", None))
    return name in ANNOTATIONS


def arguments(function):
    given = function.args
    return list(getattr(given, "posonlyargs", ())) + given.args + given.kwonlyargs


def body_of(node):
    return node.body if isinstance(node.body, list) else [node.body]


def children(node):
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            for item in value:
                if isinstance(item, ast.AST):
                    yield item
        elif isinstance(value, ast.AST):
            yield value


def inside(body):
    """All nodes of a scope, those of the scopes within it left out."""
    for node in body:
        yield node
        if not isinstance(node, SCOPES):
            for inner in inside(children(node)):
                yield inner
