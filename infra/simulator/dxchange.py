"""DXchange files as the APS writes them (De Carlo et al., J. Synchrotron Rad. 21 (2014) 1224)."""

from pathlib import Path

import h5py

from infra.simulator import hdf5
from infra.simulator.plan import DARK, FLAT, PROJECTION, Recording, ScanPlan


def write(folder: Path, plan: ScanPlan, recording: Recording) -> Path:
    """Write a scan, or the calibrations alone if the recording holds no projections."""
    path = folder / f"{plan.name}.h5"
    if plan.delivery.way == "slow":
        _write_file(path, plan, recording, plan.delivery.seconds)
    elif plan.delivery.way == "rename":
        with hdf5.hidden_until_done(path) as hidden:
            _write_file(hidden, plan, recording, plan.delivery.seconds)
    else:
        raise ValueError("DXchange scans arrive slow or by rename; linked ones are NXtomo")
    return path


def _write_file(path: Path, plan: ScanPlan, recording: Recording, seconds: float) -> None:
    with h5py.File(path, "w") as file:
        _describe(file, plan)
        exchange = file.create_group("exchange")
        darks, flats, projections = (recording.of(key) for key in (DARK, FLAT, PROJECTION))
        before = recording.flats_before
        hdf5.append(exchange, "data_dark", darks)
        hdf5.append(exchange, "data_white", flats[:before])
        if len(projections):
            _announce(file, recording)
            hdf5.append(exchange, "data", projections, seconds)
            file["exchange/frame_ids"] = recording.numbers_of(PROJECTION)
        hdf5.append(exchange, "data_white", flats[before:])


def _announce(file: h5py.File, recording: Recording) -> None:
    """Say at which angles projections will come."""
    hdf5.put(
        file,
        {
            "exchange/theta": recording.projection_angles,
            "process/acquisition/rotation/num_angles": len(recording.projection_angles),
        },
        {"exchange/theta": "deg"},
    )


def _flat_field_mode(plan: ScanPlan) -> str:
    before, after = plan.flats
    return "Both" if before and after else "End" if after else "Start"


def _describe(file: h5py.File, plan: ScanPlan) -> None:
    started = plan.started_at.isoformat() if plan.started_at else None
    hdf5.put(
        file,
        {
            "implements": "exchange:measurement:process",
            "measurement/scan_uid": plan.uid,
            "measurement/sample/name": plan.sample,
            "measurement/sample/description": plan.title,
            "measurement/sample/experiment/proposal": plan.proposal or None,
            "measurement/instrument/monochromator/energy": plan.beam.energy,
            "measurement/instrument/detector/pixel_size": plan.geometry.pixel_size * 1e6,
            "measurement/instrument/detector/exposure_time": 0.05,
            "process/acquisition/start_date": started,
            "process/acquisition/flat_fields/flat_field_mode": _flat_field_mode(plan),
        },
        {
            "measurement/instrument/monochromator/energy": "keV",
            "measurement/instrument/detector/pixel_size": "um",
            "measurement/instrument/detector/exposure_time": "s",
        },
    )
