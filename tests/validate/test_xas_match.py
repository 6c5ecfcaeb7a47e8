"""
Scans of the XAS Data Library, each matched against all the others of its element and edge.

What a match is was decided on other elements (see `tasks.xas.match_confidence`): none of these
figures was used. Scans are of one compound if their sample is the same by formula and mineral,
whatever the temperature, beamline and year; sphalerite and the other zinc sulfide are one. Those
whose only siblings were measured at another temperature are counted too, so a query may miss where
the compound is in the library under other conditions only. Edge energies are those found before
noise is added: the derivative of one scan with 1 % noise shows none. Run with ``-s`` to see the
figures.
"""

import functools
import re

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from tasks.xas.edge import find_e0
from tasks.xas.match import Match, match
from tasks.xas.match_confidence import answers
from tasks.xas.normalise import Windows, normalise
from tests.validate.chain import real_data

ELEMENTS = ("Cr", "Mn", "Fe", "Ni", "Cu", "Zn")
SAME = {
    **dict.fromkeys(["fe_metal", "fe_foil", "hansel2001_fe_foil"], "fe"),
    **dict.fromkeys(["cu_metal", "cu_foil"], "cu"),
    **dict.fromkeys(["zn_foil", "chorover13bm_znfoil"], "zn"),
    **dict.fromkeys(["fe3o4", "hansel2001_magnetite"], "fe3o4"),
    **dict.fromkeys(["chorover13bm_zns_aldrich", "chorover13bm_zn_sphalerite"], "zns"),
}
SHIFT = 1.5  # eV
REPEATS = 2  # of each query, with other shifts and noise


def compound(name):
    stem = re.sub(r"(_(\d{3}|\d{2}|rt|\d+K|xanes|2016Foils|ssrl4_1))+$", "", name.split(".")[0])
    return SAME.get(stem.lower(), stem.lower())


@functools.cache
def scan(path):
    lines = path.read_text(errors="replace").splitlines()
    labels = [re.split(r":\s*", line)[1].split()[0] for line in lines if "# Column." in line]
    rows = np.loadtxt([line for line in lines if not line.startswith("#")])
    column = dict(zip(labels, rows.T, strict=False))
    mu = column["mutrans"] if "mutrans" in column else np.log(column["i0"] / column["itrans"])
    energy, first = np.unique(column["energy"], return_index=True)
    return energy, mu[first]


def edge(energy, mu):
    return float(find_e0(energy, mu[None])[0])


class Library:
    """All scans of an element, flattened through the windows that the shortest allows."""

    def __init__(self, element):
        paths = sorted(real_data(f"xas/library_xdi/{element}").iterdir())
        self.names = [compound(path.name) for path in paths]
        self.scans = [scan(path) for path in paths]
        ends = [(energy[[0, -1]] - edge(energy, mu)) for energy, mu in self.scans]
        below, above = max(first for first, _ in ends), min(600, *(last for _, last in ends))
        degree = 2 if above > 300 else 1
        end = -30 if below < -50 else below / 2
        self.windows = Windows(max(below, -150), end, min(25, above / 3), above, degree)
        self.flats = [self.flatten(*each, edge(*each)) for each in self.scans]

    def flatten(self, energy, mu, e0):
        """Return energies, flattened absorption and its noise by neighbouring points."""
        kept = (energy > e0 - 150) & (energy < e0 + self.windows.norm2 + 5)
        flat = normalise(energy[kept], mu[None, kept], e0, self.windows).flat[0]
        near = np.abs(energy[kept] - e0 - 20) < 40
        sigma = 1.4826 * np.median(np.abs(np.diff(flat[near], 4))) / np.sqrt(70)
        return energy[kept], flat, sigma

    def ask(self, number, noise, rng):
        """Match a scan, shifted and with more noise, against all the others."""
        energy, mu = self.scans[number]
        e0, shift = edge(energy, mu), rng.uniform(-SHIFT, SHIFT)
        step = normalise(energy, mu[None], e0, self.windows).edge_step[0]
        noisy = mu + noise * step * rng.normal(size=len(mu))
        grid, flat, sigma = self.flatten(energy + shift, noisy, e0 + shift)
        others = [entry for entry in range(len(self.scans)) if entry != number]
        curves = [
            PchipInterpolator(x, y)(np.clip(grid, x[0], x[-1]))
            for x, y, _ in (self.flats[entry] for entry in others)
        ]
        result = match(
            grid,
            flat[None],
            np.stack(curves),
            noise=np.array([sigma]),
            library_noise=np.array([self.flats[entry][2] for entry in others]),
        )
        return self.names[number], [self.names[entry] for entry in others], result


@functools.cache
def asked(noise):
    rng = np.random.default_rng(7)
    return [
        library.ask(number, noise, rng)
        for library in map(Library, ELEMENTS)
        for number in range(len(library.scans))
        for _ in range(REPEATS)
    ]


def without(result, names, name):
    """Take a compound out of the library."""
    kept = [entry for entry, other in enumerate(names) if other != name]
    parts = (result.misfit, result.resolution, result.shift, result.votes)
    return Match(*(part[:, kept] for part in parts)), [names[entry] for entry in kept]


@pytest.mark.parametrize(("noise", "least"), [(0.0, 0.95), (0.01, 0.92)])
def test_a_repeat_is_named_and_the_confidence_is_the_hit_rate(noise, least):
    present = [each for each in asked(noise) if each[0] in each[1]]
    hits, votes, confidence, missed = [], [], [], []
    for name, names, result in present:
        (answer,) = answers(result, names)
        hits.append(answer.candidates[0].compound == name)
        votes.append(names[int(result.votes[0].argmax())] == name)
        confidence.append(answer.candidates[0].confidence)
        missed.append(answer.compound is None)
    print(
        f"match, noise {noise}: {len(hits)} queries, right {np.mean(hits):.3f} (votes alone "
        f"{np.mean(votes):.3f}), mean confidence {np.mean(confidence):.3f}, "
        f"false 'no match' {np.mean(missed):.3f}"
    )
    assert np.mean(hits) >= least
    assert abs(np.mean(confidence) - np.mean(hits)) <= 0.05
    assert np.mean(missed) <= 0.05


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_compound_that_is_not_in_the_library_has_no_match(noise):
    right = []
    for name, names, result in asked(noise):
        (answer,) = answers(*without(result, names, name))
        right.append(answer.compound is None)
    print(f"match, noise {noise}: {len(right)} absent, 'no match' {np.mean(right):.3f}")
    assert np.mean(right) >= 0.9


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_confidence_is_right_as_often_as_it_says_whether_or_not_the_compound_is_there(noise):
    stated, right = [], []
    for name, names, result in asked(noise):
        both = [(result, names)] if name in names else []
        for found, kept in [*both, without(result, names, name)]:
            best = answers(found, kept)[0].candidates[0]
            stated.append(best.confidence)
            right.append(best.compound == name)
    print(f"match, noise {noise}: stated {np.mean(stated):.3f}, right {np.mean(right):.3f}")
    assert abs(np.mean(stated) - np.mean(right)) <= 0.05
