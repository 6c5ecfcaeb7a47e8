import h5py
import numpy as np
import pytest
import tifffile

from tasks.io.fingerprint import BLOCK, fingerprint, fingerprint_file


def test_same_content_same_fingerprint(dxchange):
    assert fingerprint(dxchange("a.h5")) == fingerprint(dxchange("b.h5"))


@pytest.mark.parametrize("dataset", ["data", "data_white", "theta"])
def test_changed_values(dxchange, dataset):
    before = fingerprint(path := dxchange())
    with h5py.File(path, "r+") as file:
        file[f"exchange/{dataset}"][-1] += 1
    assert fingerprint(path) != before


@pytest.mark.parametrize("chunks", [None, (1, 256, 512), (8, 64, 512)])
def test_large_stacks_by_samples(dxchange, chunks):
    data = np.random.default_rng(0).integers(0, 9, (40, 256, 512), np.uint16)
    path = dxchange(frames=40, exchange__data=None)
    with h5py.File(path, "r+") as file:
        file.create_dataset("exchange/data", data=data, chunks=chunks)
    before = fingerprint(path)
    with h5py.File(path, "r+") as file:
        file["exchange/data"][0] += 1
    assert fingerprint(path) != before


def test_an_appended_entry_leaves_the_others(nxtomo):
    before = fingerprint(path := nxtomo(entry="entry1"), "entry1")
    nxtomo(entry="entry2", projections=12)
    assert fingerprint(path, "entry1") == before
    assert fingerprint(path, "entry2") != before


def test_series(tiff_folder):
    before = fingerprint(folder := tiff_folder())
    image = folder / "projections" / "projection_3.tif"
    tifffile.imwrite(image, tifffile.imread(image) + 1)
    assert fingerprint(folder) != before


@pytest.mark.parametrize("size", [0, 1, BLOCK, 40 * BLOCK + 7])
def test_first_and_last_bytes_count(tmp_path, size):
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    prints = {fingerprint_file(path)}
    for place in {0, size - 1} if size else set():
        content = bytearray(size)
        content[place] = 1
        path.write_bytes(content)
        prints.add(fingerprint_file(path))
    assert len(prints) == 1 + min(size, 2)
