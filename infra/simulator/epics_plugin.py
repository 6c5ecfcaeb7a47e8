"""The records of an areaDetector HDF5 file plugin, as far as anybody outside looks at them."""

import asyncio
from pathlib import Path
from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup, pvproperty

from infra.simulator.epics import write_capture

LONGEST_NAME = 256


CHARACTERS: Any = ChannelType.CHAR
CHOICE: Any = ChannelType.ENUM


def _text(record: str) -> Any:
    """Describe a waveform of characters: a string of EPICS ends at 40."""
    return pvproperty(name=record, value="", dtype=CHARACTERS, max_length=LONGEST_NAME)


def _choice(record: str, *names: str) -> Any:
    return pvproperty(name=record, value=names[0], dtype=CHOICE, enum_strings=names)


class Hdf5Plugin(PVGroup):
    """Captures a scan into a file when Capture is set to 1."""

    file_name = _text("FileName")
    full_file_name = _text("FullFileName_RBV")
    write_message = _text("WriteMessage")
    write_status = _choice("WriteStatus", "Write OK", "Write error")
    captured: Any = pvproperty(name="NumCaptured_RBV", value=0)
    capturing = _choice("Capture_RBV", "Done", "Capturing")
    capture: Any = _choice("Capture", "Done", "Capture")

    def __init__(self, prefix: str, *, folder: Path, seconds: float) -> None:
        super().__init__(prefix=prefix)
        self._folder, self._seconds = folder, seconds
        self._task: asyncio.Task[None] | None = None

    @capture.putter
    async def capture(self, instance: Any, value: Any) -> None:
        """Begin to capture; the records tell when it is over."""
        if value in ("Capture", 1):
            self._task = asyncio.create_task(self.capture_one(str(self.file_name.value)))

    async def capture_one(self, name: str) -> None:
        """Write one scan, and tell of it in the order in which areaDetector does."""
        await self.capturing.write("Capturing")
        await self.full_file_name.write(str(self._folder / f"{name}.h5"))
        loop = asyncio.get_running_loop()
        try:
            frames = await loop.run_in_executor(
                None, write_capture, self._folder, name, self._seconds
            )
        except OSError as error:
            await self.write_status.write("Write error")
            await self.write_message.write(str(error)[: LONGEST_NAME - 1])
        else:
            await self.write_status.write("Write OK")
            await self.captured.write(frames)
        await self.capturing.write("Done")
