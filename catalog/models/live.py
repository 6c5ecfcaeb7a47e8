"""What is seen of a dataset while it grows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, func, text
from sqlalchemy.orm import Mapped, mapped_column

from catalog.models.base import Base


class LiveView(Base):
    """Figures and a picture of the part of a dataset that has come; gone once it has a result.

    ``seen`` and ``planned`` count images, ``note`` is a sentence for people.
    """

    __tablename__ = "live_view"

    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen: Mapped[int]
    planned: Mapped[int | None]
    figures: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    picture: Mapped[bytes | None] = mapped_column(deferred=True)
    note: Mapped[str] = mapped_column(server_default=text("''"))
