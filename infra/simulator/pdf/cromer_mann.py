"""Form factors of free atoms from relativistic wave functions, as four Gaussians and a constant.

The coefficients are those of D. T. Cromer and J. B. Mann (Acta Cryst. A 24 (1968) 321) as the
International Tables for Crystallography C (table 6.1.1.4) have them: f = sum a exp(-b s^2) + c with
s = q / 4 pi. They hold up to q = 25 1/Å; further out, in the corners of a detector, they rise by up
to a tenth.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Four = tuple[float, float, float, float]
COEFFICIENTS: dict[str, tuple[Four, Four, float]] = {  # a, b in Å2, c
    "H": ((0.489918, 0.262003, 0.196767, 0.049879), (20.6593, 7.74039, 49.5519, 2.20159), 0.001305),
    "B": ((2.0545, 1.3326, 1.0979, 0.7068), (23.2185, 1.021, 60.3498, 0.1403), -0.1932),
    "C": ((2.31, 1.02, 1.5886, 0.865), (20.8439, 10.2075, 0.5687, 51.6512), 0.2156),
    "N": ((12.2126, 3.1322, 2.0125, 1.1663), (0.0057, 9.8933, 28.9975, 0.5826), -11.529),
    "O": ((3.0485, 2.2868, 1.5463, 0.867), (13.2771, 5.7011, 0.3239, 32.9089), 0.2508),
    "Al": ((6.4202, 1.9002, 1.5936, 1.9646), (3.0387, 0.7426, 31.5472, 85.0886), 1.1151),
    "Si": ((6.2915, 3.0353, 1.9891, 1.541), (2.4386, 32.3337, 0.6785, 81.6937), 1.1407),
    "Ar": ((7.4845, 6.7723, 0.6539, 1.6442), (0.9072, 14.8407, 43.8983, 33.3929), 1.4445),
    "Fe": ((11.7695, 7.3573, 3.5222, 2.3045), (4.7611, 0.3072, 15.3535, 76.8805), 1.0369),
    "Ni": ((12.8376, 7.292, 4.4438, 2.38), (3.8785, 0.2565, 12.1763, 66.3421), 1.0341),
    "La": ((20.578, 19.599, 11.3727, 3.28719), (2.94817, 0.244475, 18.7726, 133.124), 2.14678),
    "Ce": ((21.1671, 19.7695, 11.8513, 3.33049), (2.81219, 0.226836, 17.6083, 127.113), 1.86264),
}


def form_factor(element: str, q: Array) -> Array:
    """Return the form factor in electrons at q in 1/Å, (bins,)."""
    a, b, c = COEFFICIENTS[element]
    square = (q / (4 * np.pi)) ** 2
    return np.exp(-np.multiply.outer(square, np.array(b))) @ np.array(a) + c
