"""`tail --state`: what is known, how far the input was read and how far its output was written, in one file, so that a restart goes
on there.

A batch is a piece of the input and what it makes to be told. To a file it is told once: the state is saved with the batch's text in
it before that is appended, so that a restart sees how much of it was written, and writes the rest. To a pipe it is told before it
is saved: of a process that was killed at most one batch is told again.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from kubelog.errors import InputError, StateError
from kubelog.message.vocabulary.event import Event
from kubelog.timeline import Correlator
from kubelog.view.out import Out

# A state is saved with each batch that tells something, and else so often.
_EVERY_S: Final = 1.0


class Written(msgspec.Struct):
    """How far a file was written, and what was to be written behind that."""

    device: int
    inode: int
    size: int
    text: bytes


class State:
    """The state file of a `tail`, and where it writes to."""

    def __init__(self, path: str, out: Out, says: Callable[[str], None], classes: Mapping[str, type[Event]]) -> None:
        self.path, self.descriptor, self.says = path, out.file.fileno(), says
        # Whether the output stays: of a pipe, a terminal or a device nobody knows what was taken.
        self.is_file = stat.S_ISREG(os.fstat(self.descriptor).st_mode)
        self.correlator = self._load(classes)
        self.place: Any = None  # of the input, as it was left
        self.saved = time.monotonic()
        reading = self.correlator.reading
        if isinstance(reading, dict):
            self.place = reading.get("place")
            if self.is_file:
                self._complete(reading.get("written"))

    def _load(self, classes: Mapping[str, type[Event]]) -> Correlator:
        try:
            return Correlator.load(self.path, classes)
        except FileNotFoundError:
            pass
        except StateError as error:
            self.says(f"{error}; starting anew")
        return Correlator(keep_closed=False)

    def _complete(self, data: Any) -> None:
        """Write what was to be written when the process ended."""
        try:
            before = msgspec.convert(data, Written | None, strict=False)
        except msgspec.ValidationError:
            before = None
        if before is None:
            return
        now = os.fstat(self.descriptor)
        done = now.st_size - before.size
        if (now.st_dev, now.st_ino) != (before.device, before.inode) or not 0 <= done <= len(before.text):
            self.says("the output is not as it was left: what was told last may be missing in it, or stand in it twice")
            return
        if os.pread(self.descriptor, done, before.size) != before.text[:done]:
            self.says("the output was changed by others behind what was told last: the rest of that is written behind it")
        self._append(before.text[done:])

    def batch(self, text: bytes, place: Any, write: Callable[[bytes], None]) -> None:
        """Write what a batch tells, by `write` where the output is no file; save that the input was read up to `place`."""
        if not text:
            self.idle(place)
        elif self.is_file:
            self.save(place, text)
            self._append(text)
        else:
            write(text)
            self.save(place)

    def idle(self, place: Any) -> None:
        """Save now and then that the input was read up to `place`, and nothing told."""
        if place != self.place and time.monotonic() - self.saved >= _EVERY_S:
            self.save(place)

    def save(self, place: Any, text: bytes = b"") -> None:
        """Save that the input was read up to `place`; `text` is about to be written."""
        written = None
        if self.is_file:
            # What was told before is nowhere else any more.
            os.fsync(self.descriptor)
            now = os.fstat(self.descriptor)
            written = msgspec.to_builtins(Written(now.st_dev, now.st_ino, now.st_size, text), builtin_types=(bytes,))
        self.correlator.reading = {"place": place, "written": written}
        try:
            self.correlator.save(self.path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(self.path, f"the state cannot be saved: {reason}; the one saved before is still good") from None
        self.saved, self.place = time.monotonic(), place

    def _append(self, text: bytes) -> None:
        left = memoryview(text)
        while left:
            left = left[os.write(self.descriptor, left) :]
