"""G(r) of cubic crystals, of its own making: Gaussian pairs, cut in Q by a sinc."""

import numpy as np

NI = (
    "Ni",
    "F m -3 m",
    3.5240,
    [("Ni", 28, [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)])],
)
CSCL = ("CsCl", "P m -3 m", 4.1230, [("Cs", 55, [(0, 0, 0)]), ("Cl", 17, [(0.5, 0.5, 0.5)])])
PO = ("Po", "P m -3 m", 3.3590, [("Po", 84, [(0, 0, 0)])])
FE = ("Fe", "I m -3 m", 2.8665, [("Fe", 26, [(0, 0, 0), (0.5, 0.5, 0.5)])])


def cif(kind, cell=None, extra=""):
    """Text of a CIF with the first place of each site."""
    name, group, a, sites = kind
    rows = "\n".join(
        f"{element}1 {element} {places[0][0]} {places[0][1]} {places[0][2]} 0.006"
        for element, _, places in sites
    )
    lengths = "\n".join(f"_cell_length_{axis} {cell or a}" for axis in "abc")
    angles = "\n".join(f"_cell_angle_{angle} 90" for angle in ("alpha", "beta", "gamma"))
    columns = "\n".join(
        f"_atom_site_{column}"
        for column in ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "U_iso_or_equiv")
    )
    return (
        f"data_{name}\n{lengths}\n{angles}\n_space_group_name_H-M_alt '{group}'\n"
        f"loop_\n{columns}\n{rows}\n{extra}"
    )


def simulate(kind, r, qmax, *, a=None, u=0.006, delta2=0.0, qdamp=0.0):
    """
    G(r) of a crystal for X-rays; `u` in Å², one for all or one per site.

    Pairs lie at r_ij with a variance of (u_i + u_j) (1 - delta2 / r_ij²).
    """
    _, _, own, sites = kind
    a = a or own
    u = [u] * len(sites) if np.isscalar(u) else u
    atoms = [
        (z, place, u_site)
        for (_, z, places), u_site in zip(sites, u, strict=True)
        for place in places
    ]
    mean = np.mean([z for z, _, _ in atoms])
    step, reach = 0.01, r[-1] + 12.0
    fine = np.arange(1, int(reach / step)) * step
    cells = int(np.ceil(reach / a)) + 1
    shifts = np.stack(np.meshgrid(*[np.arange(-cells, cells + 1)] * 3), axis=-1).reshape(-1, 3)
    rdf = np.zeros_like(fine)
    for z, place, u_site in atoms:
        for other_z, other, other_u in atoms:
            apart = np.linalg.norm((np.subtract(other, place) + shifts) * a, axis=1)
            apart, counts = np.unique(
                np.round(apart[(apart > 0.1) & (apart < reach + 1)], 9), return_counts=True
            )
            for distance, count in zip(apart, counts, strict=True):
                width = np.sqrt((u_site + other_u) * (1 - delta2 / distance**2))
                near = slice(*np.searchsorted(fine, [distance - 8 * width, distance + 8 * width]))
                peak = (
                    np.exp(-(((fine[near] - distance) / width) ** 2) / 2)
                    / np.sqrt(2 * np.pi)
                    / width
                )
                rdf[near] += count * z * other_z / mean**2 / len(atoms) * peak
    g = (rdf / fine - 4 * np.pi * len(atoms) / a**3 * fine) * np.exp(-((fine * qdamp) ** 2) / 2)
    fade = np.clip((reach - fine) / 4, 0, 1)
    return band_limited(fine, g * np.sin(np.pi / 2 * fade) ** 2, r, qmax)


def band_limited(fine, g, r, qmax):
    """Cut the transform of an odd function on an equidistant grid at qmax."""
    q = np.linspace(0, qmax, int(1.5 * qmax * fine[-1] / np.pi))
    f = np.sin(np.outer(q, fine)) @ g * (fine[1] - fine[0])
    weights = np.full(len(q), q[1])
    weights[-1] /= 2
    return 2 / np.pi * np.sin(np.outer(r, q)) @ (f * weights)


def noise(r, qmax, sigma, rng, frames=1):
    """Noise that holds no Q above qmax, 1 sigma as given, shape (frames, points)."""
    step = np.pi / qmax
    knots = np.arange(-40, int(r[-1] / step) + 40)
    kernel = np.sinc(r[:, None] / step - knots)
    return sigma * rng.normal(size=(frames, len(knots))) @ kernel.T
