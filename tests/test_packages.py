"""Grammars and rules that an installed package ships: read like those of --grammar, run like kubelog's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINE = "E0102 03:04:05.678901    4321 disk.go:12] acme disk {} is full"
GRAMMAR = """[event.AcmeDiskFull]
fields = { disk = "word" }

[[message]]
event = "AcmeDiskFull"
text = ["acme disk {disk:word} is full"]
sample = [{ body = "acme disk sda is full", yields = { disk = "sda" } }]
"""
CODE = 'from pathlib import Path\n\n\ndef grammars():\n    return Path(__file__).with_name("more")\n'


def install(folder: Path, value: str, grammar: str = GRAMMAR, code: str = CODE) -> Path:
    """Build a small package and install it into a folder for imports."""
    source, target = folder / "source", folder / "site"
    for where in (source / "acme_kubelog", source / "acme_kubelog" / "more"):
        where.mkdir(parents=True)
    (source / "acme_kubelog" / "__init__.py").write_text(code)
    where = source / "acme_kubelog" / ("more" if ":" in value else "")
    (where / "acme.toml").write_text(grammar)
    (source / "pyproject.toml").write_text(
        f"""[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "acme-grammars"
version = "1"
[project.entry-points."kubelog.grammars"]
acme = "{value}"
[tool.setuptools]
packages = ["acme_kubelog"]
[tool.setuptools.package-data]
acme_kubelog = ["*.toml", "more/*.toml"]
"""
    )
    command = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(target), str(source)], check=True, capture_output=True)
    return target


def run(target: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(target)))}
    command = [sys.executable, "-m", "kubelog", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("value", ["acme_kubelog", "acme_kubelog:grammars"])
def test_a_package_ships_grammars(tmp_path: Path, value: str) -> None:
    # A package without a function is not even imported.
    target = install(tmp_path, value, code=CODE if ":" in value else "raise SystemExit('imported')")
    for engine in ("scanner", "reference"):
        done = run(target, "parse", "-o", "jsonl", "--year", "2017", "--engine", engine, stdin=LINE.format("sdb") + "\n")
        assert (done.returncode, done.stderr) == (0, "")
        record = json.loads(done.stdout)
        assert (record["kind"], record["fields"]) == ("AcmeDiskFull", {"disk": "sdb"})
    assert run(target, "grammar", "check").stdout.endswith("all samples right\n")
    assert "package acme-grammars: acme.toml:6" in run(target, "grammar", "show", "AcmeDiskFull").stdout
    code = f"import kubelog; print(kubelog.parse_line({LINE.format('sdc')!r}).event.disk)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(target)))}
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout == "sdc\n"
    )


@pytest.mark.parametrize(
    ("value", "grammar", "code", "told"),
    [
        (
            "acme_kubelog", GRAMMAR.replace('"acme disk {disk:word}', '"acme disk {disk:wrod}'), CODE,
            "kubelog: package acme-grammars: acme.toml:6:26: expected a hole type, found 'wrod'; did you mean 'word'?",
        ),
        (
            "acme_none", GRAMMAR, CODE,
            "kubelog: package acme-grammars: kubelog.grammars: acme = acme_none: ModuleNotFoundError: no module named 'acme_none'",
        ),
        (
            "acme_kubelog:grammars", GRAMMAR, "def grammars():\n    raise ValueError('two\\nlines')",
            "kubelog: package acme-grammars: kubelog.grammars: acme = acme_kubelog:grammars: ValueError: two lines",
        ),
        (
            "acme_kubelog:grammars", GRAMMAR, "grammars = 5",
            "kubelog: package acme-grammars: kubelog.grammars: acme = acme_kubelog:grammars: "
            "expected a package, a path or a function that returns a path",
        ),
        (
            "acme_kubelog:grammars", GRAMMAR, "grammars = '/nowhere'",
            "kubelog: package acme-grammars: kubelog.grammars: acme = acme_kubelog:grammars: no grammar file (*.toml) at /nowhere",
        ),
    ],
    ids=["a wrong hole type", "no such module", "a function that fails", "a number", "a path that is not there"],
)  # fmt: skip
def test_a_package_that_is_wrong_is_named(tmp_path: Path, value: str, grammar: str, code: str, told: str) -> None:
    done = run(install(tmp_path, value, grammar, code), "parse", stdin=LINE)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == told
    assert "Traceback" not in done.stderr


def test_where_no_package_ships_any_nothing_is_looked_up() -> None:
    code = "import sys, kubelog; kubelog.parse_line('x'); print('importlib.metadata' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "False\n"


def test_the_group_is_the_one_that_is_documented() -> None:
    page = (ROOT / "docs" / "grammar.md").read_text(encoding="utf-8")
    block = page.split("```toml\n[project.entry-points", 1)[1].split("```", 1)[0]
    assert set(tomllib.loads("[project.entry-points" + block)["project"]["entry-points"]) == {"kubelog.grammars"}


# Rules

PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package that docs/rules.md writes, built and installed."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "acme_kubelog").mkdir()
    (source / "acme_kubelog" / "__init__.py").write_text("")
    grammar, project = blocks("toml")
    (source / "acme_kubelog" / "acme.toml").write_text(grammar)
    (source / "acme_kubelog" / "disk.py").write_text(blocks("python")[0])
    build = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    (source / "pyproject.toml").write_text(build + project)
    command = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(target), str(source)], check=True, capture_output=True)
    return target


def metadata(folder: Path, value: str, code: str) -> Path:
    """A folder for imports with a module and the metadata of a package whose rule it is."""
    told = folder / "acme_bad-1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-bad\nVersion: 1\n")
    (told / "entry_points.txt").write_text(f"[kubelog.rules]\nbad = {value}\n")
    (folder / "acme_bad.py").write_text(code)
    return folder


def incidents(target: Path) -> list[dict]:
    done = run(target, "timeline", "-o", "json", "--year", "2017", "--node", "n1", stdin=blocks("text")[0])
    assert (done.returncode, done.stderr) == (0, "")
    found: list[dict] = json.loads(done.stdout)["incidents"]
    return found


def test_a_package_ships_a_rule(acme: Path) -> None:
    sda, sdb = incidents(acme)
    assert (sda["kind"], sda["subject"], sda["state"], sda["resolution"]) == (
        "AcmeDiskFull",
        {"disk": "sda"},
        "resolved",
        "recovered",
    )
    assert [(step["text"], step["count"]) for step in sda["steps"]] == [("Disk sda is full", 2), ("Disk sda has room again", 1)]
    assert sda["counts"] == {"AcmeDiskFilled": 2, "AcmeDiskFreed": 1}
    assert (sda["opened"], sda["closed"]) == ("2017-01-02T03:04:05.678901", "2017-01-02T03:09:05.678901")
    assert (sdb["state"], sdb["summary"]) == ("open", "acme disk sdb is full")
    assert sda["advice"] == ["Run `acmectl prune sda`."]
    done = run(acme, "timeline", "--year", "2017", "--fail-on", "AcmeDiskFull", stdin=blocks("text")[0])
    assert done.returncode == 1
    # Changes fold to the same.
    changes = [
        json.loads(line)
        for line in run(acme, "tail", "--year", "2017", "--node", "n1", stdin=blocks("text")[0]).stdout.splitlines()
    ]
    last = {change["incident"]["id"]: change["incident"] for change in changes}
    assert {id_: one["state"] for id_, one in last.items()} == {sda["id"]: "resolved", sdb["id"]: "open"}


def test_the_rule_opens_a_case_again_and_closes_a_quiet_one(acme: Path) -> None:
    line = "E0102 {}.000000    4321 disk.go:12] acme disk sda {}\n"
    full, free = "is full", "has room again"
    said = [("03:00:00", full), ("03:01:00", free), ("03:10:00", full), ("03:12:00", free), ("05:00:00", full)]
    said += [(f"05:{minute:02}:00", "is odd") for minute in range(5, 35, 5)]
    log = "".join(line.format(*one) for one in said)
    done = run(acme, "timeline", "-o", "json", "--year", "2017", stdin=log)
    found = json.loads(done.stdout)["incidents"]
    assert [(one["episodes"], one["state"], one["resolution"]) for one in found] == [
        (2, "resolved", "recovered"),
        (1, "resolved", "quiet"),
    ]


@pytest.mark.skipif(shutil.which("jq") is None, reason="the page's command needs jq")
def test_the_page_on_rules_shows_what_happens(acme: Path, tmp_path: Path) -> None:
    (tmp_path / "acme.log").write_text(blocks("text")[0])
    command, shown = re.findall(r"^\$ kubelog (.*)\n((?:.*\n)*)", blocks("console")[0], re.M)[0]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(acme)))}
    command = f"'{sys.executable}' -m kubelog {command}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    assert done.stdout == shown


RULE = """from kubelog.timeline.rules import Rule
class Bad(Rule):
    kind = "Bad"
    opens = frozenset({"UnitStarted"})
    def apply(self, state, event, node):
        return state
    def explain(self, case, memory, node):
        raise NotImplementedError
"""


@pytest.mark.parametrize(
    ("value", "code", "told"),
    [
        ("acme_none:Bad", RULE, "ModuleNotFoundError: No module named 'acme_none'"),
        ("acme_bad:Good", RULE, "AttributeError: module 'acme_bad' has no attribute 'Good'"),
        ("acme_bad:Bad", "raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("acme_bad", RULE, "expected a class derived from Rule, found <module 'acme_bad' from "),
        ("acme_bad:Bad", "Bad = 5", "expected a class derived from Rule, found 5"),
        ("acme_bad:Bad", "class Bad: pass", "expected a class derived from Rule, found the class Bad"),
        ("acme_bad:Bad", RULE.replace('"Bad"', "7"), "expected Bad.kind to be a name like CrashLoop, found 7"),
        ("acme_bad:Bad", RULE.replace('"Bad"', '"UnitStarted"'), "expected Bad.kind to be no event, found 'UnitStarted'"),
        ("acme_bad:Bad", RULE.replace("opens", "open"), "expected Bad to name the events that it asks for (opens, extends, closes), found None"),
        ("acme_bad:Bad", RULE + "    memory = 5", "expected Bad.memory to be a msgspec.Struct class, found 5"),
        ("acme_bad:Bad", RULE.replace("def apply", "def aply"), "expected Bad to have a method apply, found none"),
        (
            "acme_bad:Bad", RULE.replace('"Bad"', '"NodePressureEviction"'),
            "expected a kind of its own, found 'NodePressureEviction', which is a rule of kubelog",
        ),
    ],
    ids=[
        "no module", "no class", "an import that fails", "a module", "a number", "another class", "a kind that is no name",
        "the kind of an event", "no events", "a wrong memory", "no method", "a kind that is taken",
    ],
)  # fmt: skip
def test_a_rule_that_is_none_is_named(tmp_path: Path, value: str, code: str, told: str) -> None:
    target = metadata(tmp_path, value, code)
    done = run(target, "timeline", stdin=LINE)
    assert done.returncode == 2
    assert done.stderr.startswith(f"kubelog: package acme-bad: kubelog.rules: bad = {value}: {told}")
    assert done.stderr.count("\n") == 1
    # Who only reads records needs no rule.
    assert run(target, "parse", "--year", "2017", stdin=LINE).returncode == 0


def test_a_rule_has_no_kind_of_another_package(acme: Path, tmp_path: Path) -> None:
    target = metadata(tmp_path, "acme_bad:Bad", RULE.replace('"Bad"', '"AcmeDiskFull"'))
    done = run(Path(f"{target}{os.pathsep}{acme}"), "timeline", stdin=LINE)
    assert done.stderr == (
        "kubelog: package acme-bad: kubelog.rules: bad = acme_bad:Bad: expected a kind of its own, found 'AcmeDiskFull', "
        "which is a rule of package acme-kubelog\n"
    )


def test_a_state_of_a_rule_that_is_gone_is_told_and_not_used(tmp_path: Path) -> None:
    target, state = metadata(tmp_path, "acme_bad:Bad", RULE), str(tmp_path / "state")
    log = "Jan 02 03:04:05 n1 systemd[1]: Started kubelet: The Kubernetes Node Agent.\n"
    arguments = ("tail", "--year", "2017", "--state", state)
    assert run(target, *arguments, stdin=log).stderr == ""
    assert run(target, *arguments, stdin=log).stderr == ""
    done = run(tmp_path / "elsewhere", *arguments, stdin=log)
    assert done.returncode == 0
    said = "it was written with the rule Bad, which is not installed; starting anew"
    assert done.stderr == f"kubelog: {state}: not a saved state of this release: {said}\n"


def test_where_no_package_ships_a_rule_nothing_is_looked_up() -> None:
    code = "import sys, kubelog; kubelog.Correlator(); print('importlib.metadata' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "False\n"


def test_kinds_are_those_of_the_head() -> None:
    from kubelog.message.vocabulary.host import UnitFailed
    from kubelog.timeline.rules import Rule

    class One(Rule):
        opens = frozenset({UnitFailed})
        closes = frozenset({"AcmeDiskFreed"})

    class Other(One):
        explains = frozenset({"NodeConfig"})

    assert One.kinds == {"UnitFailed", "AcmeDiskFreed"}
    assert Other.kinds == {"UnitFailed", "AcmeDiskFreed", "NodeConfig"}
