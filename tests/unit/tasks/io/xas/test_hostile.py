"""Whatever is wrong with a file, the answer is a dataset or a sentence, never another exception."""

from pathlib import Path

import numpy as np
import pytest

from infra.simulator.xas.plan import Scan, SeriesPlan
from infra.simulator.xas.write import write_series
from tasks.errors import DataError
from tasks.io.probe import UnknownLayoutError, probe
from tasks.io.scan import ScanReference, open_scan
from tasks.io.spectra import open_spectra

PLAN = SeriesPlan(sweeps=2, scan=Scan(points=30))
REAL = ["xdi/cu_metal_rt.xdi", "athena_prj/cu.prj", "nxxas/Fe_XDIFiles.h5"]
REAL += [f"beamline_ascii/{name}.dat" for name in ("PF9A_2022", "SSRL1_2006", "ESRF_SNBL_2013")]


def look_and_read(path: Path) -> None:
    try:
        for entry in probe(path, technique="xas"):
            if entry.problem:
                assert entry.problem.endswith(".")
            elif not entry.missing:
                with open_spectra(ScanReference(str(path), entry.inner_path, entry.format)) as one:
                    one.read(slice(0, 2), slice(0, 100))
    except DataError as error:
        assert str(error).endswith("."), error


@pytest.mark.parametrize("name", REAL)
def test_real_files_cut_and_damaged(real, tmp_path, name):
    original = real(name).read_bytes()
    path = tmp_path / Path(name).name
    generator = np.random.default_rng(0)
    for cut in (1, 10, 100, len(original) // 3, len(original) - 3):
        path.write_bytes(original[:cut])
        look_and_read(path)
    for place in generator.integers(0, len(original), 12):
        path.write_bytes(original[:place] + generator.bytes(24) + original[place + 24 :])
        look_and_read(path)


@pytest.mark.parametrize("form", ["quick", "bliss", "qex"])
def test_simulated_files_cut_and_damaged(tmp_path, form):
    path = write_series(tmp_path, PLAN, form)
    original = path.read_bytes()
    generator = np.random.default_rng(1)
    for cut in (1, 8, 100, 2000, len(original) - 3):
        path.write_bytes(original[:cut])
        look_and_read(path)
    for place in generator.integers(8, len(original), 25):
        path.write_bytes(original[:place] + generator.bytes(16) + original[place + 16 :])
        look_and_read(path)


def test_what_is_not_there_or_a_folder(tmp_path):
    with pytest.raises(DataError, match="is not there"):
        probe(tmp_path / "gone.xdi", technique="xas")
    with pytest.raises(UnknownLayoutError):
        probe(tmp_path, technique="xas")


def test_a_dataset_of_another_technique_is_not_opened(tmp_path):
    path = write_series(tmp_path, PLAN, "quick")
    with pytest.raises(DataError, match="which no installed reader knows"):
        open_scan(ScanReference(str(path), "entry", "quick"))
    with pytest.raises(DataError, match="holds no scan that a reader knows"):
        open_scan(ScanReference(str(path)))
    with open_spectra(ScanReference(str(path))) as spectra:
        assert spectra.shape == (2, 30), "the format was found out"


@pytest.mark.parametrize("name", ["扫描 1.dat", "a b.dat", "ü%20.dat", "scan'\".dat"])
def test_names_in_any_language(tmp_path, name, raw):
    path = tmp_path / name
    path.write_bytes("# µ-XAS, Größe\n# energy i0 itrans\n".encode("latin-1"))
    with path.open("a") as file:
        file.writelines(f"{7000 + at} {at + 1} {at + 2}\n" for at in range(5))
    assert raw(path).energy.shape == (1, 5)
