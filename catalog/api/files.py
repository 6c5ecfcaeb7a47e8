"""The bytes of results: previews and volumes, asked for by id and never by path."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from catalog import queries
from catalog.api.problems import ProblemError, not_found, responses
from catalog.api.security import ReaderDep
from catalog.api.service import ServiceDep
from catalog.queries import ServedFile

router = APIRouter(prefix="/api/datasets", tags=["datasets"])

# what a browser may show in place: everything else, above all HTML and SVG, is a download
INLINE = frozenset({"image/png", "image/jpeg"})
# a result is never overwritten: who has it once need not ask again
CACHE = "private, max-age=31536000, immutable"


@router.get(
    "/{dataset_id}/files/{file_id}/content",
    response_class=FileResponse,
    responses={
        200: {"content": {"image/png": {}, "application/octet-stream": {}}},
        304: {"description": "Not Modified: the copy that you have is right"},
        **responses(HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN, HTTPStatus.GONE),
    },
)
def get_content(
    dataset_id: UUID, file_id: UUID, request: Request, service: ServiceDep, viewer: ReaderDep
) -> Response:
    """Send a file of a derived dataset; pictures are shown in place, ranges are honoured."""
    with service.snapshot(viewer) as session:
        file = queries.served_file(session, dataset_id, file_id)
    if file is None:
        raise not_found("file", f"{file_id} of dataset {dataset_id}")
    if file.kind != "derived":
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            f"Only files of derived datasets are served here; {file.path} belongs to a "
            f"{file.kind} dataset: read it where it lies, on the storage {file.storage!r}",
        )
    # who logs out or in must ask again
    headers = {"Cache-Control": CACHE, "Vary": "Authorization, Cookie"}
    if file.media_type in INLINE:
        # the Prefect UI shows previews, and is another origin of the same site: it sends our login
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if file.digest:
        headers["ETag"] = f'"{file.digest}"'
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    media_type = file.media_type if file.media_type in INLINE else "application/octet-stream"
    path = resolve(file)
    return FileResponse(
        path,
        headers=headers,
        media_type=media_type,
        filename=path.name,
        content_disposition_type="inline" if file.media_type in INLINE else "attachment",
    )


def resolve(file: ServedFile) -> Path:
    """Return where a file lies, after checking that it is inside its storage.

    Raises
    ------
    ProblemError
        404 when its path or a link in it leads out of the storage, 410 when it is gone.
    """
    root = Path(file.root).resolve()
    path = (root / file.path).resolve()
    if not path.is_relative_to(root):
        raise ProblemError(
            HTTPStatus.NOT_FOUND, f"The file {file.id} is not inside its storage {file.storage!r}"
        )
    if file.purged_at is not None:
        raise ProblemError(
            HTTPStatus.GONE,
            f"{file.path} was purged at {file.purged_at:%Y-%m-%d %H:%M} UTC; its copies are listed "
            "under /custody of its dataset",
        )
    if not path.is_file():
        raise ProblemError(
            HTTPStatus.GONE,
            f"{file.path} is in the catalogue but no longer on the storage {file.storage!r}: "
            "it was moved or deleted by hand; a rerun makes it again",
        )
    return path
