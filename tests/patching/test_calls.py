"""Calls are rewritten where they stand, and all around them stays as it was."""

from __future__ import annotations

import ast

import libcst as cst
import pytest

from nondet.patching.calls import Rewrite, rewritten

OTHER = "{owner}.other(X)"


def changed(text: str, *rewrites: Rewrite) -> str:
    module, left = rewritten(cst.parse_module(text), rewrites)
    assert left == {}
    ast.parse(module.code)
    return module.code


@pytest.mark.parametrize(
    ("before", "call", "template", "after"),
    [
        ("for p in os.listdir(d):  # all\n    p", "listdir", "sorted({call})",
         "for p in sorted(os.listdir(d)):  # all\n    p"),
        ("rng = np.random.default_rng()", "default_rng", "{function}(42)",
         "rng = np.random.default_rng(42)"),
        ("rng = default_rng( None )", "default_rng", "{function}(42)", "rng = default_rng(42)"),
        ("key = os.urandom(n * 2)", "urandom", "RANDOM.randbytes({args})",
         "key = RANDOM.randbytes(n * 2)"),
        ("for f in as_completed(futures, timeout=3): f", "as_completed", "{first}",
         "for f in futures: f"),
        ("for r in pool.imap_unordered(work, tasks, chunksize=2): r", "imap_unordered",
         "{owner}.imap({args})", "for r in pool.imap(work, tasks, chunksize=2): r"),
        ("data = data.shuffle(100)", "shuffle", "+seed=42", "data = data.shuffle(100, seed=42)"),
        ("data = data.shuffle( 9 )", "shuffle", "+seed=42", "data = data.shuffle( 9, seed=42 )"),
        ("layer = Dropout(.5, seed = None)", "Dropout", "+seed=42",
         "layer = Dropout(.5, seed = 42)"),
        ("super().__init__()", "__init__", "+workers=1", "super().__init__(workers=1)"),
        ("x = load(a, workers=4, **more)", "load", "+workers=1, in_order=True",
         'x = load(a, workers=1, **{**more, "in_order": True})'),
        ("d.map(f, **{'ordered': False})", "map", "+ordered=True, name='x'",
         """d.map(f, **{**{**{'ordered': False}, "ordered": True}, "name": 'x'})"""),
        ("@tf.function(jit_compile=True)\ndef f(): pass", "function", "+jit_compile=False",
         "@tf.function(jit_compile=False)\ndef f(): pass"),
        ("d.map(f, num_parallel_calls=4, deterministic=False)", "map",
         "-num_parallel_calls, deterministic", "d.map(f)"),
        ("d.map(f, num_parallel_calls=4, name='x')", "map", "-num_parallel_calls",
         "d.map(f, name='x')"),
        ("value = (time.time()) + 1", "time", "0.0", "value = (0.0) + 1"),
        ("key = os.getpid().to_bytes(4, 'big')", "getpid", "42", "key = (42).to_bytes(4, 'big')"),
        ("key = 1 .real + os.getpid()", "getpid", "42", "key = 1 .real + 42"),
        ("x = os.walk(p, followlinks=False)", "walk", "sorted({call})",
         "x = sorted(os.walk(p, followlinks=False))"),
        ("x = os.walk(p, topdown=True)", "walk", "sorted({call})",
         "x = sorted(os.walk(p, topdown=True))"),
        ("key = os.urandom(\n    16  # bytes\n)", "urandom", "RANDOM.randbytes({args})",
         "key = RANDOM.randbytes(\n    16  # bytes\n)"),
        ("key = secrets.token_hex()", "token_hex", "R.randbytes({first or 32}).hex()",
         "key = R.randbytes(32).hex()"),
        ("key = secrets.token_hex(None)", "token_hex", "R.randbytes({first or 32}).hex()",
         "key = R.randbytes(32).hex()"),
        ("key = secrets.token_hex(nbytes=8)", "token_hex", "R.randbytes({first or 32}).hex()",
         "key = R.randbytes(8).hex()"),
        ("for f in as_completed(e.submit(g, i) for i in xs): f", "as_completed", "{first}",
         "for f in [e.submit(g, i) for i in xs]: f"),
        ("for f in as_completed({e.submit(g, i) for i in xs}): f", "as_completed", "{first}",
         "for f in [e.submit(g, i) for i in xs]: f"),
        ("x = [f for f in as_completed(a if b else c)]", "as_completed", "{first}",
         "x = [f for f in (a if b else c)]"),
        ("for f in as_completed(\n    a\n    .b\n): f", "as_completed", "{first}",
         "for f in (a\n    .b): f"),
        ("for f in as_completed(timeout=3, fs=a): f", "as_completed", "{first}", "for f in a: f"),
        ("x = (np\n    .random\n    .RandomState())", "RandomState", "{function}(42)",
         "x = ((np\n    .random\n    .RandomState(42)))"),
        ("x = os.listdir(f'{args}{first}')", "listdir", "sorted({call})",
         "x = sorted(os.listdir(f'{args}{first}'))"),
        ("model.compile('adam', 'mse')", "compile", "+optimizer=SGD()",
         "model.compile(SGD(), 'mse')"),
        ("x = DataLoader(d, 8, True, None, None, 4)", "DataLoader", "+num_workers=1, in_order=True",
         "x = DataLoader(d, 8, True, None, None, 1, in_order=True)"),
        ("load(a, **(b or c))", "load", "+workers=1", 'load(a, **{**(b or c), "workers": 1})'),
        ("load(a, **b or c)", "load", "+workers=1", 'load(a, **{**(b or c), "workers": 1})'),
        ("d.map(f, AUTOTUNE)", "map", "-num_parallel_calls, deterministic", "d.map(f)"),
        ("d.map(f, 4, False, 'x')", "map", "-num_parallel_calls, deterministic",
         "d.map(f, None, None, 'x')"),
        ("list(map(f, xs)); d.map(f, deterministic=False)", "map", "-deterministic",
         "list(map(f, xs)); d.map(f)"),
        ("a, b = default_rng(1), default_rng()", "default_rng", "{function}(42)",
         "a, b = default_rng(1), default_rng(42)"),
        ("a, b = default_rng(s), default_rng(None)", "default_rng", "{function}(42)",
         "a, b = default_rng(s), default_rng(42)"),
        ("a = next(p.iterdir(), None)", "iterdir", "sorted({call})",
         "a = next(iter(sorted(p.iterdir())), None)"),
        ("rng = default_rng(seed)", "default_rng", "{function}(42)",
         "rng = default_rng(42 if seed is None else seed)"),
        ("r = RandomState( seed=args.seed )", "RandomState", "{function}(42)",
         "r = RandomState( seed=42 if args.seed is None else args.seed )"),
        ("random.seed(cfg['seed'], 2)", "seed", "{function}(42)",
         "random.seed(42 if cfg['seed'] is None else cfg['seed'], 2)"),
        ("s = SeedSequence(None, spawn_key=(1,))", "SeedSequence", "{function}(42)",
         "s = SeedSequence(42, spawn_key=(1,))"),
        ("s = SeedSequence(spawn_key=(1,))", "SeedSequence", "{function}(42)",
         "s = SeedSequence(42, spawn_key=(1,))"),
        ("r = Random(next(seeds))", "Random", "{function}(42)", "r = Random(42)"),
        ("r = Random(*seeds)", "Random", "{function}(42)", "r = Random(42)"),
        ("np.random.seed(int(time()))", "seed", "=42", "np.random.seed(42)"),
        ("np.random.seed(seed=time())", "seed", "=42", "np.random.seed(seed=42)"),
        ("np.random.seed(1); np.random.seed(time())", "seed", "=42",
         "np.random.seed(1); np.random.seed(42)"),
        ("seed_everything(t, workers=True)", "seed_everything", "=42",
         "seed_everything(42, workers=True)"),
        ("PPO('Mlp', env, seed=int(time()))", "PPO", "=seed=42", "PPO('Mlp', env, seed=42)"),
        ("rows = rows.batch(4).prefetch(2)", "prefetch", OTHER, "rows = rows.batch(4).other(X)"),
        ("(a if b else c).prefetch(n=2)[0]", "prefetch", OTHER, "(a if b else c).other(X)[0]"),
        ("ahead(rows.prefetch(2).x)", "prefetch", OTHER, "ahead(rows.other(X).x)"),
    ],
)  # fmt: skip
def test_a_call(before: str, call: str, template: str, after: str) -> None:
    assert changed(before, Rewrite(1, call, template)) == after


def test_arguments_of_one_a_line_stay_so() -> None:
    before = "loader = DataLoader(\n    data,\n    shuffle=True,  # each epoch\n)\n"
    after = "loader = DataLoader(\n    data,\n    shuffle=True,  # each epoch\n    seed=42,\n)\n"
    for line in (1, 2, 3, 4):
        assert changed(before, Rewrite(line, "DataLoader", "+seed=42")) == after


def test_all_calls_of_a_line_and_none_of_another() -> None:
    text = "a = glob(x) + glob(y)\nb = glob(z)\n"
    expected = "a = sorted(glob(x)) + sorted(glob(y))\nb = glob(z)\n"
    assert changed(text, Rewrite(1, "glob", "sorted({call})")) == expected


def test_one_call_within_another() -> None:
    text = "x = f(\n    default_rng(),\n    listdir(listdir(a)),\n)\n"
    found = changed(
        text, Rewrite(2, "default_rng", "{function}(42)"), Rewrite(3, "listdir", "sorted({call})")
    )
    assert found == "x = f(\n    default_rng(42),\n    sorted(listdir(sorted(listdir(a)))),\n)\n"


def test_the_line_of_the_name_counts_in_a_chain() -> None:
    text = "data = (\n    load()\n    .shuffle(9)\n    .batch(4)\n)\n"
    expected = text.replace("shuffle(9)", "shuffle(9, seed=42)")
    assert changed(text, Rewrite(3, "shuffle", "+seed=42")) == expected


def test_another_method_stands_in_the_chain_where_the_one_did() -> None:
    before = (
        "data = (\n    load()  # all\n    .prefetch(  # ahead\n        2,\n    )\n    .take(4)\n)\n"
    )
    args = before[before.index("(  # ahead") : before.index("\n    .take")]
    renamed = before.replace("prefetch", "cache")
    assert changed(before, Rewrite(3, "prefetch", "{owner}.cache({args})")) == renamed
    after = before.replace(f"prefetch{args}", "other(X)")
    assert changed(before, Rewrite(3, "prefetch", OTHER)) == after


def test_what_is_not_there_is_told() -> None:
    rewrites = [Rewrite(2, "listdir", "sorted({call})"), Rewrite(1, "scandir", "sorted({call})")]
    text = "os.listdir(a)\nos.walk(b)\n"
    module, left = rewritten(cst.parse_module(text), rewrites)
    assert (module.code, list(left)) == (text, rewrites)


@pytest.mark.parametrize(
    ("text", "call", "template", "why"),
    [
        ("for f in as_completed(*fs): f", "as_completed", "{first}", "unpacked"),
        ("for f in as_completed(timeout=3, futures=a): f", "as_completed", "{first}", "first one"),
        ("model.compile(*settings)", "compile", "+optimizer=SGD()", "may hold optimizer"),
        ("d.map(f, **settings)", "map", "-deterministic", "nothing to change"),
        ("a = default_rng(1)", "default_rng", "{function}(42)", "without a number"),
        ("random.seed(t, 2)", "seed", "=42", "which of its arguments is the seed"),
        ("random.seed(*t)", "seed", "=42", "which of its arguments is the seed"),
        ("model = PPO('Mlp', env)", "PPO", "=seed=42", "which of its arguments is the seed"),
        ("with os.scandir(p) as it: it", "scandir", "sorted({call})", "context manager"),
        ("with closing(os.scandir(p)) as it: it", "scandir", "sorted({call})", "context manager"),
        ("for x in os.walk(p, topdown=False): x", "walk", "sorted({call})", "bottom up"),
        ("for x in p.walk(False): x", "walk", "sorted({call})", "bottom up"),
        ("for x in os.walk(p, False): x", "walk", "sorted({call})", "bottom up"),
        ("for x in os.walk(p, **how): x", "walk", "sorted({call})", "bottom up"),
        ("x = f(a)", "f", "{call} = 3", "no Python"),
    ],
)
def test_what_can_t_be_changed_by_itself_stays_and_says_why(
    text: str, call: str, template: str, why: str
) -> None:
    rewrite = Rewrite(1, call, template)
    module, left = rewritten(cst.parse_module(text), [rewrite])
    assert module.code == text
    assert why in left[rewrite]


def test_one_that_can_t_be_changed_keeps_no_other_from_it() -> None:
    text = "for f in as_completed(*fs): f\nx = os.listdir(a)\n"
    rewrites = [Rewrite(1, "as_completed", "{first}"), Rewrite(2, "listdir", "sorted({call})")]
    module, left = rewritten(cst.parse_module(text), rewrites)
    assert module.code == text.replace("os.listdir(a)", "sorted(os.listdir(a))")
    assert list(left) == rewrites[:1]
