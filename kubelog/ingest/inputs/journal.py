"""the journal → entries in its export format: files, directories, this machine's, to their end or as they grow.

A process of its own reads it (journal_helper.py): who reads a journal file that is truncated meanwhile is killed. When that
happens it is started again behind the last entry that came whole.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from kubelog.errors import InputError
from kubelog.ingest.inputs.follow import Piece

# So often in a row it may be killed without an entry between.
_MOST_DEATHS: Final = 5


class Journal:
    """What is read of the journal: some `files` or a `folder` of them, or this machine's; of one `boot`; behind a `cursor`."""

    def __init__(
        self,
        path: str,
        *,
        files: list[str] | None = None,
        folder: str | None = None,
        boot: str | None = None,
        follow: bool = False,
        place: Any = None,
        by_journalctl: bool = False,
    ) -> None:
        self.path = path
        self.cursor = None if place is None else str(place["cursor"])
        self.request = {"files": files, "folder": folder, "boot": boot, "follow": follow, "journalctl": by_journalctl}
        self.errors: list[InputError] = []
        self.process: subprocess.Popen[bytes] | None = None

    def place(self) -> Any:
        return None if self.cursor is None else {"cursor": self.cursor}

    def __iter__(self) -> Iterator[Piece]:
        deaths = 0
        while True:
            self._start()
            came = False
            try:
                for kind, data in self._frames():
                    came = came or kind == b"D"
                    if kind == b"Z":
                        return
                    piece = self._piece(kind, data)
                    if piece is not None:
                        yield piece
            finally:
                status = self.close()
            deaths = 1 if came else deaths + 1
            if status >= 0:
                # It ended by itself, and said why.
                if status and not self.errors:
                    self.errors.append(InputError(self.path, f"the process that read the journal ended with status {status}"))
                return
            name = signal.Signals(-status).name
            if deaths >= _MOST_DEATHS:
                self.errors.append(InputError(self.path, f"reading the journal was ended by {name}, {deaths} times in a row"))
                return
            said = f"{self.path}: the process that read the journal was ended by {name}, as when a file is truncated: it reads on"
            yield Piece(b"", said=said, lost=True)

    def read(self, front: Callable[[], bytes], said: Callable[[str], None]) -> Iterator[bytes]:
        """Its bytes, to the end. Raises InputError behind them where some could not be read."""
        for piece in self:
            if piece.said:
                said(piece.said)
            if piece.data:
                yield front() + piece.data
        if self.errors:
            raise self.errors[0]

    def close(self) -> int:
        """End the process that reads it; its status."""
        process, self.process = self.process, None
        if process is None:
            return 0
        assert process.stdout is not None
        process.stdout.close()
        if process.poll() is None:
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()
        return process.returncode

    def _start(self) -> None:
        request = json.dumps({**self.request, "cursor": self.cursor})
        helper = Path(__file__).with_name("journal_helper.py")
        # -P: this folder has modules that are called like Python's own.
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(helper), request], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )

    def _frames(self) -> Iterator[tuple[bytes, bytes]]:
        """What the process wrote; a frame that it could not end is dropped."""
        assert self.process is not None
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        held = bytearray()
        while data := os.read(descriptor, 1 << 20):
            held += data
            at = 0
            while len(held) - at >= 5:
                size = struct.unpack_from("<I", held, at + 1)[0]
                if len(held) - at < 5 + size:
                    break
                yield bytes(held[at : at + 1]), bytes(held[at + 5 : at + 5 + size])
                at += 5 + size
            del held[:at]

    def _piece(self, kind: bytes, data: bytes) -> Piece | None:
        if kind == b"D":
            cursor, _, text = data.partition(b"\n")
            self.cursor = cursor.decode("ascii", "replace")
            return Piece(text)
        if kind == b"I":
            return Piece(b"")
        text_ = data.decode("utf-8", "surrogateescape")
        if kind == b"E":
            path, _, reason = text_.partition("\n")
            self.errors.append(InputError(self.path if path == "journal" else path, reason))
            return Piece(b"", said=str(self.errors[-1])) if self.request["follow"] else None
        return Piece(b"", said=f"{self.path}: {text_}")


def beside(path: str) -> list[str]:
    """What journald rotated of a file: `system@….journal` beside `system.journal`."""
    name = os.path.basename(path)
    stem = name.removesuffix(".journal")
    if stem == name or "@" in stem:
        return []
    try:
        names = os.listdir(os.path.dirname(path) or ".")
    except OSError:
        return []
    return sorted(one for one in names if one.startswith(f"{stem}@") and one.endswith(".journal"))
