"""records → a journal, and what journalctl prints of it: systemd's own programs, in any language."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest

from tests.said import RECORDS, Said, ended, entries


def program(name: str) -> str:
    """Where a program is."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/lib/systemd", "/lib/systemd", "/usr/sbin"]))
    return found or lacks(name)


def lacks(what: str) -> NoReturn:
    """A machine that runs all checks has what the tests need."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed; .ci/run installs it")
    pytest.skip(f"{what} is not installed")


def export(records: Sequence[Said], zone: str, priorities: bool = False) -> bytes:
    """The journal export format (systemd.io/JOURNAL_EXPORT_FORMATS): a field a line, or its length and bytes."""
    found = []
    for said, number, line in entries(records, zone):
        stamped = round(said.stamped.timestamp() * 1_000_000) + number
        # systemd's own programs say when they said it; journald says besides when it came in.
        native = said.unit.startswith("systemd")
        level = {"E": "3", "W": "4"}.get(said.severity or "") if priorities else None
        fields: dict[str, str | None] = {
            "__REALTIME_TIMESTAMP": str(stamped + 37_000 if native else stamped),
            "_SOURCE_REALTIME_TIMESTAMP": str(stamped) if native else None,
            "__MONOTONIC_TIMESTAMP": str(stamped - 1_704_000_000_000_000),
            "_BOOT_ID": "b1b2" * 8,
            "_MACHINE_ID": "a1a2" * 8,
            "_HOSTNAME": said.node,
            "PRIORITY": level or "6",
            "_TRANSPORT": "kernel" if said.unit == "kernel" else "journal" if native else "stdout",
            "SYSLOG_IDENTIFIER": said.unit,
            "_PID": None if said.pid is None else str(said.pid),
            "_SYSTEMD_UNIT": None if said.unit == "kernel" else said.service or f"{said.unit}.service",
            "MESSAGE": line,
        }
        found += [exported(name, value.encode()) for name, value in fields.items() if value is not None]
        found.append(b"\n")
    return b"".join(found)


def exported(name: str, value: bytes) -> bytes:
    if any(byte < 32 and byte != 9 for byte in value):
        return name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
    return name.encode() + b"=" + value + b"\n"


@functools.cache
def journal(folder: Path, zone: str, priorities: bool) -> Path:
    """A journal of all records, made once: written again, it would hold them twice."""
    return made(
        folder / f"{zone.replace('/', '-')}{'-priorities' if priorities else ''}.journal", export(RECORDS, zone, priorities)
    )


def made(path: Path, data: bytes) -> Path:
    """A journal of what is in journal export format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path.with_suffix(".export")
    source.write_bytes(data)
    done = subprocess.run([program("systemd-journal-remote"), "-o", path, source], capture_output=True, check=True)
    count = data.count(b"__REALTIME_TIMESTAMP=")
    assert f"Finishing after writing {count} entries".encode() in done.stderr, done.stderr
    return path


def journalctl(path: Path, mode: str, *options: str, zone: str = "UTC", **environment: str) -> bytes:
    command = [program("journalctl"), "--no-pager", "-q", "--file", str(path), "-o", mode, *options]
    settings = {"PATH": os.environ.get("PATH", ""), "TZ": zone} | environment
    return subprocess.run(command, capture_output=True, check=True, env=settings).stdout


# Languages whose months journalctl writes; the rest as glibc names them.
LANGUAGES = """
    en_US zh_CN zh_TW ja_JP ko_KR de_DE fr_FR ru_RU uk_UA es_ES pt_BR it_IT pl_PL cs_CZ tr_TR sv_SE nl_NL vi_VN th_TH hi_IN ar_EG ar_SA
    fa_IR hr_HR et_EE ca_ES ar_IQ am_ET
""".split()  # and C, which needs no locale


def languages(folder: Path) -> Path:
    """A directory of locales, for LOCPATH. Letters and their order, which take long to make, are those of POSIX: not used here."""
    folder.mkdir(parents=True, exist_ok=True)
    localedef = program("localedef")
    if not Path("/usr/share/i18n/locales").is_dir():
        lacks("what localedef makes locales of")

    def make(language: str) -> None:
        source = folder / f"{language}.source"
        source.write_text("comment_char %\nescape_char /\n" + ended(copied(category, language) for category in CATEGORIES))
        # localedef itself breaks on some of these; it takes any language as it is.
        for origin in (source, language):
            command = [localedef, "--quiet", "-i", origin, "-f", "UTF-8", folder / f"{language}.UTF-8"]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return
        pytest.fail(f"localedef makes no {language}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(make, LANGUAGES))
    return folder


CATEGORIES = "CTYPE COLLATE TIME MONETARY NUMERIC MESSAGES PAPER NAME ADDRESS TELEPHONE MEASUREMENT IDENTIFICATION".split()


def copied(category: str, language: str) -> str:
    origin = "POSIX" if category in ("CTYPE", "COLLATE") else language
    return f'LC_{category}\ncopy "{origin}"\nEND LC_{category}'
