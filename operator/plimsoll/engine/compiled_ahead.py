"""Where is the machine code that an image was built with? In a folder that nobody may write to.

In: numba's question where to keep a function. Out: ``NUMBA_CACHE_DIR``, read-only, as long as what lies there was
compiled for this very kind of processor; numba itself takes no folder that it cannot write to, and compiles at each
start. Named in ``NUMBA_CACHE_LOCATOR_CLASSES`` by the image; nothing else uses it.
"""

import re
from pathlib import Path
from typing import Any

from numba import config
from numba.core.caching import UserProvidedCacheLocator
from numba.core.registry import cpu_target

_NOTE = "compiled-for"
_CONFIG: Any = config
"""Its attributes are set as numba loads, out of the sight of a type checker."""


class CompiledAhead(UserProvidedCacheLocator):
    """The folder of the build; any other place would have to be writable."""

    def ensure_cache_path(self) -> None:
        """Raises OSError where nothing can be read nor written: numba then compiles, and keeps nothing."""
        # For another processor numba would compile and then fail to keep the result.
        if not _note().is_file() or _note().read_text() != _processor():
            super().ensure_cache_path()  # type: ignore[no-untyped-call]


def note() -> None:
    """Say for what it was compiled; the last step of the build."""
    _note().write_text(_processor())


def forget_addresses() -> None:
    """The same source makes the same files: numba keeps a listing in which functions stand with where they lay."""
    for file in _folder().rglob("*.nbc"):
        kept = file.read_bytes()
        # As long as before, since the lengths of texts are kept too.
        file.write_bytes(re.sub(rb"(?<= at 0x)[0-9a-f]+(?=>)", lambda address: b"0" * len(address[0]), kept))


def _folder() -> Path:
    return Path(_CONFIG.CACHE_DIR)


def _note() -> Path:
    return _folder() / _NOTE


def _processor() -> str:
    return repr(cpu_target.target_context.codegen().magic_tuple())
