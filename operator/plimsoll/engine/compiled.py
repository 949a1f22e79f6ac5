"""How are the hot loops compiled? To machine code by numba, once, and kept for the next start.

In: a function of numbers and arrays. Out: the same function, compiled. No fast-math and no threads of its own: the
same input gives the same output on every machine. It runs without Python's lock, beside whatever else Python does.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Compiled = TypeVar("Compiled", bound=Callable[..., Any])


def compiled(function: Compiled) -> Compiled:
    """Compile at the first call of each signature; the machine code is kept beside the source or in the user's cache.

    Where neither place can be written to (a read-only container), it is compiled for this process only; the image is
    built with the code compiled already.
    """
    try:
        return cast(Compiled, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:
        # numba's way to say that there is no place to keep it.
        return cast(Compiled, numba.njit(nogil=True)(function))
