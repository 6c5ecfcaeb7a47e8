"""The job that brings the catalogue to this version and tells it the flows and the beamlines."""

import os
from datetime import timedelta

from sqlalchemy import make_url
from sqlalchemy.orm import Session

from catalog.connection import engine_from_environment
from catalog.migrate import migrate
from catalog.recipes import publish_beamline, publish_flow
from flows.registry import FLOWS
from infra.logs import log_to_stdout
from infra.settings import load_settings


def main() -> None:
    """Migrate as the owner; publish as the application."""
    log_to_stdout()
    owner = os.environ["DAYSEYE_OWNER_DSN"]
    application = make_url(os.environ["DAYSEYE_CATALOG_DSN"]).username
    migrate(owner, application if application != make_url(owner).username else None)
    with Session(engine_from_environment("dayseye-prepare")) as session, session.begin():
        for flow in FLOWS.values():
            schema = flow.recipe.model_json_schema()
            publish_flow(session, flow.name, flow.technique, flow.version, schema)
        for beamline in load_settings().beamlines:
            flow = FLOWS.get(beamline.technique)
            publish_beamline(
                session,
                id=beamline.id,
                name=beamline.name or beamline.id,
                technique=beamline.technique,
                flow=flow.name if flow else None,
                folders=beamline.folders,
                output_template=beamline.output,
                recipe=beamline.recipe,
                calibration_max_age=timedelta(hours=beamline.calibration_max_age_hours),
            )


if __name__ == "__main__":
    main()
