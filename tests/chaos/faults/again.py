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


def _some(world: World):
    brought = list(world.arrivals.brought)
    return world.chance.sample(brought, min(MANY, len(brought)))
