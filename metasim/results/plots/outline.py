"""The outline of a standing woman, seen from the front, in body heights."""

from functools import cache

import numpy as np
from matplotlib.path import Path

# One half from crown to crotch: x from the midline, y from the feet. Runs of points are joined
# smoothly, with a corner between one run and the next.
_HALF = (
    (  # head, neck, shoulder, outside of the arm
        (0.000, 1.000), (0.026, 0.995), (0.045, 0.974), (0.050, 0.945), (0.045, 0.913),
        (0.033, 0.885), (0.026, 0.866), (0.026, 0.850), (0.036, 0.837), (0.066, 0.826),
        (0.096, 0.816), (0.113, 0.796), (0.119, 0.766), (0.124, 0.720), (0.130, 0.670),
        (0.137, 0.620), (0.150, 0.560), (0.161, 0.510), (0.169, 0.478), (0.178, 0.445),
        (0.176, 0.415), (0.166, 0.402), (0.156, 0.418), (0.152, 0.448), (0.146, 0.490),
        (0.133, 0.540), (0.117, 0.600), (0.108, 0.640), (0.100, 0.690), (0.093, 0.742),
    ),
    (  # side, outside of the leg, foot, inside of the leg
        (0.093, 0.742), (0.092, 0.715), (0.086, 0.690), (0.074, 0.655), (0.067, 0.622),
        (0.070, 0.590), (0.083, 0.550), (0.094, 0.505), (0.096, 0.460), (0.090, 0.400),
        (0.078, 0.330), (0.066, 0.280), (0.067, 0.235), (0.064, 0.190), (0.053, 0.120),
        (0.043, 0.060), (0.046, 0.035), (0.060, 0.012), (0.052, 0.001), (0.030, 0.001),
        (0.021, 0.014), (0.022, 0.045), (0.021, 0.080), (0.018, 0.150), (0.013, 0.215),
        (0.016, 0.275), (0.012, 0.330), (0.006, 0.400), (0.000, 0.462),
    ),
)  # fmt: skip


@cache
def body_outline() -> Path:
    """The closed outline, patient's left at positive x, as on a picture of someone facing us."""
    right = [_smooth(np.array(run)) for run in _HALF]
    left = [run[::-1] * (-1, 1) for run in reversed(right)]
    vertices, codes = [right[0][:1]], [Path.MOVETO]
    for run in (*right, *left):
        vertices.append(run[1:])
        codes += [Path.CURVE4] * (len(run) - 1)
    return Path(np.concatenate([*vertices, right[0][:1]]), [*codes, Path.CLOSEPOLY])


def _smooth(points: np.ndarray) -> np.ndarray:
    """Vertices of the cubic Bezier curve through `points` (a Catmull-Rom spline)."""
    mirrored = points[1] * (-1, 1) if points[0, 0] == 0 else points[0]
    around = np.vstack([mirrored, points, points[-1]])
    slope = (around[2:] - around[:-2]) / 6
    start, end = points[:-1], points[1:]
    pieces = np.stack([start + slope[:-1], end - slope[1:], end], axis=1)
    return np.vstack([points[:1], pieces.reshape(-1, 2)])
