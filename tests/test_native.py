"""The leaves say the same compiled and interpreted, what is compiled is what stands here, and both bodies of `ops` agree."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import mmap
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from array import array
from collections.abc import Callable, Iterable
from importlib.machinery import EXTENSION_SUFFIXES
from itertools import cycle
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubelog import native
from kubelog.ingest import ops

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "kubelog"
OPS = PACKAGE / "ingest" / "ops.pxd"
LEAVES = [pxd.with_suffix(".py") for pxd in sorted(PACKAGE.glob("*/*.pxd")) if pxd != OPS]
SUFFIX = EXTENSION_SUFFIXES[0]
REQUIRED = os.environ.get("KUBELOG_REQUIRE_NATIVE", "") not in ("", "0")
REBUILD = "bring them up to date with `pip install -e .`, or `python setup.py build_ext --inplace`"


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def compiled(leaf: Path) -> Path:
    return leaf.with_name(leaf.stem + SUFFIX)


def skip(reason: str) -> NoReturn:
    """Leave a test out, but not where the leaves must be compiled."""
    if REQUIRED:
        pytest.fail(f"KUBELOG_REQUIRE_NATIVE is set, but {reason}")
    pytest.skip(reason)


# What is compiled


def test_all_leaves_of_the_checkout_are_compiled_or_none() -> None:
    found = {path.relative_to(PACKAGE) for path in PACKAGE.rglob(f"*{SUFFIX}")}
    if not found:
        skip("no leaf of the checkout is compiled")
    shared = Path("_cyutility" + SUFFIX)
    assert found == {shared, *(compiled(leaf).relative_to(PACKAGE) for leaf in LEAVES)}, REBUILD


@pytest.mark.parametrize("leaf", LEAVES, ids=name_of)
def test_a_compiled_leaf_is_newer_than_what_it_was_compiled_from(leaf: Path) -> None:
    if not compiled(leaf).exists():
        skip(f"{name_of(leaf)} is not compiled")
    made = compiled(leaf).stat().st_mtime
    younger = [source.name for source in (leaf, leaf.with_suffix(".pxd"), OPS) if source.stat().st_mtime > made]
    assert younger == [], f"compiled before these were changed; {REBUILD}"


def test_the_leaves_that_are_tested_are_the_compiled_ones() -> None:
    if os.environ.get("KUBELOG_PURE", "") not in ("", "0"):
        assert native.kind() == "interpreted"
    else:
        assert native.kind() == ("compiled" if all(compiled(leaf).exists() for leaf in LEAVES) else "interpreted")


def run(*arguments: str | Path, pure: bool) -> str:
    env = {**os.environ, "KUBELOG_PURE": "1" if pure else "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_told_to_leave_the_compiled_leaves_aside_it_imports_their_sources() -> None:
    text = "import json, sys, importlib, kubelog; print(json.dumps([importlib.import_module(n).__file__ for n in sys.argv[1:]]))"
    files = json.loads(run("-c", text, *map(name_of, LEAVES), pure=True))
    assert [Path(file) for file in files] == LEAVES


def test_a_log_reads_the_same_compiled_and_interpreted(node3: Path) -> None:
    if native.kind() != "compiled":
        skip("no leaf is compiled")
    command = ("-m", "kubelog", "parse", node3 / "node3-kubelet.log", "--year", "2017", "-o", "jsonl")
    lines = run(*command, pure=False).splitlines()
    assert len(lines) > 10
    assert run(*command, pure=True).splitlines() == lines


# The two bodies of `ops`: each function of ops.pxd is wrapped, compiled and called with what its namesake is called with.

FUNCTION = re.compile(r"^cdef inline [\w ]+? (\w+)\((.*)\)(?: noexcept| except -?\d+)?(?: nogil)?:$", re.MULTILINE)
IN_C = dict(FUNCTION.findall(OPS.read_text(encoding="utf-8")))
# In C a part of `lookup`.
ONLY_IN_PYTHON = {"digest"}
# Not of its arguments alone: compared with files below.
OF_FILES = {"read_behind"}


def test_each_function_of_ops_has_both_bodies() -> None:
    in_python = {
        name for name, value in vars(ops).items() if callable(value) and value.__module__ == ops.__name__ and name[0] != "_"
    }
    assert set(IN_C) == in_python - ONLY_IN_PYTHON
    assert OPS.read_text(encoding="utf-8").count("\ncdef inline ") == len(IN_C), "one is written in a way that is not read here"


def test_the_bodies_of_each_function_of_ops_are_compared() -> None:
    assert set(CASES) == set(IN_C) - OF_FILES


@pytest.fixture(scope="session")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The functions of ops.pxd, to be called from Python."""
    if importlib.util.find_spec("Cython") is None:
        skip("Cython is not installed")
    include = sysconfig.get_path("include")
    if not Path(include, "Python.h").exists():
        skip("the headers of this Python are not installed")
    link = shlex.split(sysconfig.get_config_var("LDSHARED") or "cc -shared")
    if shutil.which(link[0]) is None:
        skip(f"there is no {link[0]}")
    folder = tmp_path_factory.mktemp("ops")
    source, c, built = folder / "bodies.pyx", folder / "bodies.c", folder / f"bodies{SUFFIX}"
    text = ["from cpython.array cimport array", "from kubelog.ingest cimport ops"]
    for name, declared in IN_C.items():
        given_on = ", ".join(argument.split()[-1] for argument in declared.split(", "))
        text += [f"def {name}({declared}):", f"    return ops.{name}({given_on})"]
    source.write_text("\n".join(text), encoding="utf-8")
    flags = [*shlex.split(sysconfig.get_config_var("CCSHARED") or ""), "-O2", "-g0", "-w", f"-I{include}"]
    for command in (
        [sys.executable, "-m", "cython", "-3", "-X", "show_performance_hints=False", "-I", str(ROOT), "-o", str(c), str(source)],
        [*link, *flags, str(c), "-o", str(built)],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    spec = importlib.util.spec_from_file_location("bodies", built)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Fence:
    """Texts that end where readable memory ends: whoever reads behind them is stopped by the machine."""

    def __init__(self) -> None:
        self.pages: Iterable[mmap.mmap] = cycle([self._page() for _ in range(4)])

    def _page(self) -> mmap.mmap:
        pages = mmap.mmap(-1, 2 * mmap.PAGESIZE)
        behind = ctypes.addressof(ctypes.c_char.from_buffer(pages)) + mmap.PAGESIZE
        if hasattr(os, "fork"):
            assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(behind), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
        return pages

    def put(self, text: bytes) -> memoryview:
        pages = next(iter(self.pages))
        pages[mmap.PAGESIZE - len(text) : mmap.PAGESIZE] = text
        return memoryview(pages)[mmap.PAGESIZE - len(text) : mmap.PAGESIZE]


FENCE = Fence()

# What the functions look for, what differs from it by one bit or by one, digits, and bytes that are no ASCII.
TELLING = b' \t\n\r"\\=09:/;#!<>a\0\x08\x0b\x7f\x80\x89\x8a\xa0\xa2\xb0\xb9\xbd\xc3\xdc\xe2\xff'
# As often long as short, and around the words of the machine: hypothesis by itself makes few that need more than two.
lengths = st.integers(0, 70) | st.sampled_from([7, 8, 9, 15, 16, 17, 31, 32, 33])
texts = lengths.flatmap(
    lambda n: st.binary(min_size=n, max_size=n) | st.lists(st.sampled_from(TELLING), min_size=n, max_size=n).map(bytes)
)
characters = st.sampled_from(TELLING) | st.integers(0, 255)


@st.composite
def spans(draw: st.DrawFn, text: bytes) -> tuple[int, int]:
    """What every caller keeps: 0 <= p <= e <= len(text)."""
    if draw(st.booleans()):
        return 0, len(text)
    p = draw(st.integers(0, len(text)))
    return p, draw(st.integers(p, len(text)))


@st.composite
def parts(draw: st.DrawFn, of: st.SearchStrategy[bytes] = texts) -> tuple[bytes, int, int]:
    text = draw(of)
    return text, *draw(spans(text))


@st.composite
def beyond(draw: st.DrawFn) -> tuple[bytes, int, int]:
    """Parts, and places in or behind the text whose end stands before their beginning."""
    text = draw(texts)
    p = draw(st.integers(0, len(text) + 70))
    return draw(st.just((text, p, draw(st.integers(0, min(p, len(text)))))) | parts())


@st.composite
def with_literal(draw: st.DrawFn, least: int = 0) -> tuple[bytes, int, int, bytes, int, int]:
    """A part, and a literal in a pool: one that stands in the text, most often."""
    text, p, e = draw(parts(texts.filter(lambda text: len(text) >= least)))
    at, stop = draw(spans(text))
    literal = draw(st.just(text[at:stop]) | st.just(text[p : p + stop - at]) | st.binary(max_size=40))
    literal = literal if len(literal) >= least else text[:least]
    before = draw(st.binary(max_size=9))
    return text, p, e, before + literal + draw(st.binary(max_size=9)), len(before), len(literal)


@st.composite
def two_places(draw: st.DrawFn) -> tuple[bytes, int, int, int]:
    text = draw(texts)
    half = st.just(len(text)) | st.integers(0, 2 * len(text) + 3)
    return text + text, draw(st.just(0) | half), draw(half), draw(half)


@st.composite
def first_literals(draw: st.DrawFn) -> tuple[bytes, int, int, bytes, array[int], array[int]]:
    text, p, e = draw(parts())
    several = draw(st.lists(st.integers(0, 12).map(lambda n: text[p : p + n]) | st.binary(min_size=1, max_size=4), max_size=6))
    pool, literals = b"", array("i")
    for literal in several:
        literals.extend((len(pool), len(literal)))
        pool += literal
    chosen = draw(st.lists(st.integers(0, len(several) - 1), max_size=6)) if several else []
    return text, p, e, pool, literals, array("i", chosen)


@st.composite
def hashed(draw: st.DrawFn) -> tuple[array[int], array[int], bytes, bytes, int, int]:
    """A table of some texts, and a text that is one of them or differs from one by a byte, or by where it ends."""
    several = draw(st.lists(texts, min_size=1, max_size=8, unique=True))
    size = draw(st.sampled_from([16, 1 << 12]))
    slots, places, pool = array("i", bytes(4 * size)), array("i"), b""
    for number, text in enumerate(several, 1):
        i = ops.digest(text, 0, len(text)) & (size - 1)
        while slots[i]:
            i = (i + 1) & (size - 1)
        slots[i] = number
        places.extend((len(pool), len(pool) + len(text)))
        pool += text
    wanted = draw(st.sampled_from(several))
    p, e = draw(spans(wanted))
    changed = draw(st.just(wanted) | st.just(wanted[p:e]) | st.just(wanted[:p] + b"\x80" + wanted[p + 1 :]) | texts)
    before = draw(st.binary(max_size=9))
    return slots, places, pool, before + changed + draw(st.binary(max_size=9)), len(before), len(before) + len(changed)


@st.composite
def moves(draw: st.DrawFn) -> tuple[bytearray, int, bytes, int, int]:
    text, p, e = draw(parts())
    target = bytearray(draw(st.binary(min_size=e - p, max_size=e - p + 20)))
    return target, draw(st.integers(0, len(target) - (e - p))), text, p, e


@st.composite
def views(draw: st.DrawFn) -> tuple[array[int], int, bytes, int, int, int, int]:
    text, p, e = draw(parts())
    rows = draw(st.integers(1, 3))
    places = draw(st.integers(0, 9)), draw(st.integers(0, 1 << 20))
    return array("i", [-1] * (4 * rows)), 4 * draw(st.integers(0, rows - 1)), text, p, e, *places


def columns(code: str) -> st.SearchStrategy[tuple[array[int], int, int, bytearray]]:
    values = st.lists(st.sampled_from([-1, 0, 1, 7]), max_size=40)
    bits = st.binary(min_size=5, max_size=6).map(bytearray)
    return st.tuples(values, st.sampled_from([-1, 0])).flatmap(
        lambda found: st.tuples(st.just(array(code, found[0])), st.integers(0, len(found[0])), st.just(found[1]), bits)
    )


@st.composite
def bits(draw: st.DrawFn) -> tuple[bytearray, int]:
    found = bytearray(draw(st.binary(min_size=1, max_size=9)))
    return found, draw(st.integers(0, 8 * len(found) - 1))


def after(strategy: st.SearchStrategy[tuple[Any, ...]], *further: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(strategy, *further).map(lambda found: (*found[0], *found[1:]))


# Each kind of character that UTF-8 has, the first and the last of it, and what is none.
utf_8 = st.sampled_from(
    b"a 0123456 \x7f \x80 \xc1\xbf \xc2\x80 \xdf\xbf \xe0\x9f\xbf \xe0\xa0\x80 \xed\x9f\xbf \xed\xa0\x80 \xee\x80\x80 \xef\xbf\xbf "
    b"\xf0\x8f\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf \xf4\x90\x80\x80 \xf5\x80\x80\x80 \xe2\x82 \xf0\x90\x80".split()
)


json_texts = (
    st.recursive(
        st.text(max_size=4) | st.integers(), lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=3), one)
    )
    .map(json.dumps)
    .map(str.encode)
)
escaped = st.text(st.sampled_from('\\\\u"nx09afDdCc8\u20ac'), max_size=30).map(str.encode)


@st.composite
def unescapes(draw: st.DrawFn) -> tuple[bytearray, int, bytes, int, int]:
    text, p, e = draw(parts(escaped | json_texts))
    target = bytearray(draw(st.binary(min_size=e - p, max_size=e - p + 20)))
    return target, draw(st.integers(0, len(target) - (e - p))), text, p, e


digits = st.integers(0, 18).flatmap(lambda n: st.lists(st.sampled_from(b"0123456789"), min_size=n, max_size=n).map(bytes))
quoted = st.from_regex(r'(\\|a){0,6}"(\\|a|"){0,6}"', fullmatch=True).map(str.encode)
sizes = st.tuples(st.sampled_from([array(code) for code in "biq"]), st.integers(0, 70))
searches = beyond().flatmap(lambda part: characters.map(lambda c: (part[0], c, *part[1:])))
CASES: dict[str, st.SearchStrategy[tuple[Any, ...]]] = {
    "empty": sizes,
    "cleared": sizes,
    "find": searches,
    "seek": searches,
    "locate": with_literal(least=1),  # an empty literal is nowhere looked for
    "starts": with_literal(),
    "same": two_places(),
    "blanks": beyond(),
    "word": beyond(),
    "digits": after(
        beyond() | parts(digits) | parts(st.lists(st.sampled_from(b"09/:"), max_size=9).map(bytes)), st.integers(0, 20)
    ),
    "number": parts(digits),
    "six": beyond() | parts(digits),
    "clock": beyond(),
    "closing_quote": beyond() | parts(quoted),
    "value_end": parts() | parts(json_texts),
    "unescape": unescapes(),
    "key_end": parts(),
    "plain_end": parts(),
    "run": after(parts(), st.sets(characters).map(lambda stops: bytes(c in stops for c in range(256)))),
    "text_behind": parts(),
    "first_of": first_literals(),
    "lookup": hashed(),
    "valid_text": parts() | parts(st.lists(utf_8, max_size=9).map(b"".join)) | utf_8.map(lambda text: (text, 0, len(text))),
    "put_view": views(),
    "put_bit": bits(),
    "mark_b": columns("b"),
    "mark_i": columns("i"),
    "mark_q": columns("q"),
    "put_less": columns("b").map(lambda found: (found[0][:], found[0], found[1])),
    "copy": moves(),
}


def outcome(body: Callable[..., Any], arguments: tuple[Any, ...]) -> list[Any]:
    """What it returns, and what it leaves in the memory it was given."""
    found = body(*arguments)
    written = [bytes(argument) for argument in arguments if isinstance(argument, bytearray | array)]
    if isinstance(found, array):
        # What an empty array holds is not said.
        found = (found.typecode, len(found), any(found) and body.__name__ == "cleared")
    return [found, *written]


@pytest.mark.parametrize("name", sorted(CASES.keys() & IN_C.keys()))
def test_both_bodies_of_a_function_of_ops_say_the_same(name: str, in_c: ModuleType) -> None:
    in_python, says_nothing = getattr(ops, name), name.startswith("put_")

    @settings(max_examples=4 * settings().max_examples)
    @given(CASES[name])
    def agree(arguments: tuple[Any, ...]) -> None:
        fenced = [
            FENCE.put(value) if isinstance(value, bytes) else value[:] if hasattr(value, "__len__") else value
            for value in arguments
        ]
        one, other = outcome(in_python, arguments), outcome(getattr(in_c, name), tuple(fenced))
        assert one[says_nothing:] == other[says_nothing:]

    agree()


@given(json_texts, st.sampled_from([b"", b",", b"}", b"]", b',"a":1}']))
def test_a_json_value_ends_where_it_ends(value: bytes, behind: bytes) -> None:
    assert ops.value_end(value + behind, 0, len(value + behind)) == len(value)


@given(st.text())
def test_unescaping_undoes_what_json_escapes(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    for escaped in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        raw = escaped.encode()
        target = bytearray(len(raw))
        assert target[: ops.unescape(target, 0, raw, 1, len(raw) - 1)] == text.encode()


@given(st.binary(max_size=9), st.binary(max_size=90), st.integers(0, 100))
def test_both_bodies_read_a_file_behind_what_is_in_front(in_c: ModuleType, front: bytes, text: bytes, size: int) -> None:
    for body in (ops.read_behind, in_c.read_behind):
        out, into = os.pipe()
        try:
            os.write(into, text)
            os.close(into)
            found = body(front, out, size)
            assert found == front + text[:size]
            assert body(found, out, 100) == front + text
        finally:
            os.close(out)


def test_both_bodies_say_why_nothing_can_be_read(in_c: ModuleType, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        for body in (ops.read_behind, in_c.read_behind):
            with pytest.raises(IsADirectoryError):
                body(b"front", folder, 10)
    finally:
        os.close(folder)


@pytest.mark.parametrize(("name", "text"), [("six", b"203456"), ("clock", b"20:34:56")])
def test_both_bodies_read_a_number_with_any_byte_or_part_changed(name: str, text: bytes, in_c: ModuleType) -> None:
    changed = [text[:i] + bytes([c]) + text[i + 1 :] + b"7" for i in range(len(text)) for c in range(256)]
    changed += [text[:i] + b"%02d" % n + text[i + 2 :] + b"7" for i in range(0, len(text), 3) for n in range(100)]
    one, other = getattr(ops, name), getattr(in_c, name)
    for b in changed:
        for e in range(len(text) - 1, len(b) + 1):
            assert one(b, 0, e) == other(b, 0, e), (b, e)


def test_in_c_two_texts_that_differ_in_a_byte_are_not_the_same(in_c: ModuleType) -> None:
    for n in range(71):
        text = bytes(range(n))
        places, slots = array("i", [0, n]), array("i", bytes(4 * 64))
        slots[-1 - ops.lookup(slots, places, text, text, 0, n)] = 1
        assert in_c.lookup(slots, places, text, text, 0, n) == 0
        assert in_c.starts(text, 0, n, text, 0, n)
        assert in_c.same(text + text, 0, n, n)
        for i in range(n):
            other = text[:i] + b"\xfe" + text[i + 1 :]
            assert in_c.lookup(slots, places, text, other, 0, n) == ops.lookup(slots, places, text, other, 0, n) < 0, (n, i)
            assert not in_c.starts(other, 0, n, text, 0, n), (n, i)
            assert not in_c.same(text + other, 0, n, n), (n, i)


PLACES = st.integers(-80, 150) | st.sampled_from([-(1 << 62), (1 << 62)])


@pytest.mark.parametrize(
    "name",
    sorted(
        name for name, declared in IN_C.items() if declared.startswith("const unsigned char[::1] b, Py_ssize_t p, Py_ssize_t e")
    ),
)
def test_in_c_nothing_is_found_at_places_outside_the_text(name: str, in_c: ModuleType) -> None:
    rest: dict[str, tuple[Any, ...]] = {"locate": (b"a", 0, 1), "starts": (b"a", 0, 1), "digits": (9,), "run": (bytes(256),)}
    rest["first_of"] = (b"a", array("i", [0, 1]), array("i", [0]))

    @settings(max_examples=2 * settings().max_examples)
    @given(texts, PLACES, PLACES)
    def finds_nothing(text: bytes, p: int, e: int) -> None:
        if not 0 <= p <= e <= len(text) and p != e:
            found = getattr(in_c, name)(FENCE.put(text), p, e, *rest.get(name, ()))
            assert found in (p, e, -1, 0)

    finds_nothing()
