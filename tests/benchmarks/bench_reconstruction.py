"""
Reconstruction against peers: CPU time per slice and error against an analytic truth.

All filter with the plain ramp, all get the same noise-free sinograms with the axis in the middle
of column ``columns // 2``, and run one after another in this process. CPU time is user + system
time of all threads; each engine warms up first, and rounds alternate between engines so that a
busy machine slows all alike. The last line says whether the promise holds: no more error than
scikit-image's linear interpolation, in at most a tenth of its CPU time.
"""

import importlib.util
import os
import sys

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.ndimage import fourier_shift

from tasks.ct.filters import response
from tasks.ct.reconstruct import reconstruct
from tests.validate.truth import Truth, random_sample

PIXEL_CM = 1e-3
ROUNDS = 3
SLICES = 8  # for the fast ones


def truth_of(columns):
    rng = np.random.default_rng(11)
    angles = np.arange(int(1.5 * columns)) * np.pi / int(1.5 * columns)
    sample = random_sample(rng, columns, PIXEL_CM, fill=0.42, pieces=60)
    return Truth(columns, 1, angles, float(columns // 2), 0.0, PIXEL_CM, sample)


def ours(sinogram, angles):
    stack = np.repeat(sinogram[None], SLICES, axis=0)
    return reconstruct(stack, angles, float(sinogram.shape[1] // 2), PIXEL_CM)[-1]


def skimage_linear(sinogram, angles):
    from skimage.transform import iradon

    # its rows count the other way round the axis, hence the sign
    slice_ = iradon(sinogram.T, theta=-np.rad2deg(angles), filter_name="ramp", circle=True)
    return slice_ / PIXEL_CM


def plain_finufft(sinogram, angles):
    """What one would write first: a slice at a time, default settings."""
    import finufft

    count, columns = sinogram.shape
    spectrum = np.fft.rfft(sinogram, 2 * columns) * response("ramp", 2 * columns)
    filtered = np.fft.irfft(spectrum)[:, :columns]
    frequency = 2 * np.pi * np.fft.fftfreq(columns)
    lines = np.fft.fft(filtered) * np.exp(1j * frequency * (columns // 2))
    y, x = np.sin(angles)[:, None] * frequency, np.cos(angles)[:, None] * frequency
    slice_ = finufft.nufft2d1(y.ravel(), x.ravel(), lines.ravel(), (columns, columns), isign=1)
    return slice_.real * np.pi / count / columns / PIXEL_CM


def algotom_fbp(sinogram, angles):
    from algotom.rec.reconstruction import fbp_reconstruction

    return algotom(fbp_reconstruction, sinogram, angles, gpu=False)


def algotom_fourier(sinogram, angles):
    from algotom.rec.reconstruction import dfi_reconstruction

    return algotom(dfi_reconstruction, sinogram, angles)


def algotom(method, sinogram, angles, **options):
    slice_ = method(
        sinogram,
        sinogram.shape[1] // 2,
        angles=angles,
        apply_log=False,
        filter_name=None,
        **options,
    )
    return slice_ / PIXEL_CM


ENGINES = {
    "dayseye (finufft)": (ours, SLICES, None),
    "scikit-image iradon, linear": (skimage_linear, 1, "skimage"),
    "finufft, plain": (plain_finufft, 1, "finufft"),
    "algotom FBP": (algotom_fbp, 1, "algotom"),
    "algotom Fourier": (algotom_fourier, 1, "algotom"),
}


def best_error(slice_, truth):
    """RMSE inside 0.95 of the field, in the orientation and origin that suits the engine best."""
    image = truth.image(0)
    y, x = np.indices(image.shape) - truth.columns // 2
    inside = np.hypot(x, y) < 0.95 * (truth.columns / 2 - 1)
    errors = []
    half_off = np.fft.ifft2(
        fourier_shift(np.fft.fft2(slice_), 0.5)
    ).real  # origin (columns - 1) / 2
    for turned in (slice_, slice_[::-1], half_off, half_off[::-1]):
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                moved = np.roll(turned, (down, across), (0, 1))
                errors.append(np.sqrt(np.mean((moved - image)[inside] ** 2)))
    return min(errors) / image.max()


def measure(columns):
    truth = truth_of(columns)
    sinogram = truth.absorbance(0).astype(np.float32)
    spent, error = {}, {}
    for turn in range(ROUNDS + 1):
        for name, (engine, slices, module) in ENGINES.items():
            if module is not None and importlib.util.find_spec(module) is None:
                continue
            start = os.times()
            slice_ = engine(sinogram, truth.angles)
            end = os.times()
            if turn == 0:  # plans, compilers and caches warm up
                error[name] = best_error(slice_, truth)
                continue
            cpu = end.user - start.user + end.system - start.system
            spent.setdefault(name, []).append(1e3 * cpu / slices)
    return {name: float(np.median(times)) for name, times in spent.items()}, error


def main():
    sizes = [int(size) for size in sys.argv[1:]] or [512]
    console, kept = Console(), True
    for columns in sizes:
        cpu, error = measure(columns)
        table = Table(title=f"{columns} columns, {int(1.5 * columns)} projections, ramp filter")
        for heading in ("engine", "CPU ms / slice", "CPU ratio", "RMSE / max", "RMSE ratio"):
            table.add_column(heading, justify="left" if heading == "engine" else "right")
        mine = "dayseye (finufft)"
        for name in cpu:
            table.add_row(
                name,
                f"{cpu[name]:,.1f}",
                f"{cpu[name] / cpu[mine]:.1f}",
                f"{error[name]:.5f}",
                f"{error[name] / error[mine]:.2f}",
            )
        console.print(table)
        peer = "scikit-image iradon, linear"
        if peer not in cpu:
            console.print("scikit-image is not installed here, so the promise was not tested.")
            continue
        held = error[mine] <= error[peer] and cpu[mine] <= cpu[peer] / 10
        console.print(f"no more error than {peer}, in a tenth of its CPU time: {held}")
        kept &= held
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
