"""What a leaf needs of Cython where there is none: the same `.py` runs uncompiled."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Final

nogil: Final = nullcontext()
