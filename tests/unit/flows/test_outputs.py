"""Output files are described by their whole content."""

import hashlib
from pathlib import Path

from flows.outputs import output_file


def test_size_and_digest_are_those_of_the_content(tmp_path: Path) -> None:
    content = b"volume" * 100_000
    (tmp_path / "volume.h5").write_bytes(content)
    described = output_file(tmp_path, "volume.h5", "volume", "application/x-hdf5")
    assert (described.path, described.size) == ("volume.h5", len(content))
    assert described.digest == hashlib.sha256(content).hexdigest()
