"""Files that were announced once are announced again."""

import shutil

from tests.chaos.world import World, Wound

MANY = 5


def touched(world: World) -> Wound:
    """Give files another time of change: a metadata tool, a backup."""
    some = _some(world)
    for scan in some:
        scan.path.touch()
    return Wound(f"{len(some)} files", lambda: True, 0)


def copied(world: World) -> Wound:
    """Put the same bytes under the same names again, as a transfer that is repeated does."""
    some = _some(world)
    for scan in some:
        copy = world.platform.folder / "store" / f"again-{scan.path.name}"
        shutil.copyfile(scan.path, copy)
        copy.rename(scan.path)
    return Wound(f"{len(some)} files", lambda: True, 0)


def reported(world: World) -> Wound:
    """Report scans again over HTTP: under the same key, and under another one."""
    posted = [scan for scan in list(world.arrivals.brought) if scan.path.parent.name == "posted"]
    some = world.chance.sample(posted, min(MANY, len(posted)))
    for scan in some:
        for key in (scan.path.name, f"{scan.path.name} again"):
            world.arrivals.beamlines.report(scan, key)
    return Wound(f"{len(some)} scans", world.arrivals.beamlines.reports.all_heard, 240)


def _some(world: World):
    brought = list(world.arrivals.brought)
    return world.chance.sample(brought, min(MANY, len(brought)))
