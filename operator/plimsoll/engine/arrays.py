"""What does the kernel take? Types of arrays, and routers as numbers.

In: nothing. Out: names that the kernel and its callers share, so that a caller need not load the compiler for them.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROUND_ROBIN, LEAST_LOADED, WEIGHTED, RANDOM = 0, 1, 2, 3
