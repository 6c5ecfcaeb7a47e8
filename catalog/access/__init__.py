"""Who may see and change what: viewers, principals with their tokens and grants, visibility."""

from catalog.access.principals import (
    ANONYMOUS_MODES,
    AnonymousMode,
    anonymous,
    known_by,
)
from catalog.access.scope import ViewedSession, demand_write, is_visible
from catalog.access.viewer import EVERYTHING, Viewer

__all__ = [
    "ANONYMOUS_MODES",
    "EVERYTHING",
    "AnonymousMode",
    "ViewedSession",
    "Viewer",
    "anonymous",
    "demand_write",
    "is_visible",
    "known_by",
]
