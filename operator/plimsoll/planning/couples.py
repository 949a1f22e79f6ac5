"""Which rows belong together? All pairs of rows with the same key."""

import numpy as np

from plimsoll.planning.tables import Ints


def couples(need_k: Ints) -> tuple[Ints, Ints]:
    """All pairs of rows with the same key; equal keys lie side by side."""
    left, right = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    rows = np.arange(len(need_k))
    for distance in range(1, len(need_k)):
        alike = need_k[distance:] == need_k[:-distance]
        if not alike.any():
            break
        left.append(rows[:-distance][alike])
        right.append(rows[distance:][alike])
    return np.concatenate(left), np.concatenate(right)
