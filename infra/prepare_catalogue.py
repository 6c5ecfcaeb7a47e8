"""The job that brings the catalogue to this version and tells it the flows and the beamlines."""

import os
from datetime import timedelta

from sqlalchemy import make_url
from sqlalchemy.orm import Session

from catalog.connection import engine_from_environment
from catalog.migrate import migrate
from catalog.recipes import publish_beamline, publish_flow
from flows.registry import FLOWS
from infra.flow_choice import (
    flow_of,
    published_calibrations,
    published_rules,
    series_flow_of,
)
from infra.logs import log_to_stdout
from infra.settings import load_settings
from triggers.beamline import Beamline


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
        settings = load_settings()
        for beamline in settings.beamlines:
            publish(session, beamline, embargo=_days(settings.access.embargo_days))


def publish(session: Session, beamline: Beamline, embargo: timedelta | None = None) -> None:
    """Enter a beamline with its rules, as the settings describe them."""
    publish_beamline(
        session,
        id=beamline.id,
        name=beamline.name or beamline.id,
        technique=beamline.technique,
        flow=flow_of(beamline),
        folders=beamline.folders,
        output_template=beamline.output,
        recipe=beamline.recipe,
        calibration_max_age=timedelta(hours=beamline.calibration_max_age_hours),
        calibration_rules=published_calibrations(beamline),
        series_flow=series_flow_of(beamline),
        series_recipe=beamline.series_recipe,
        rules=published_rules(beamline),
        triggers=beamline.triggers.kinds(),
        purge_derived_after=_days(beamline.purge.derived_after_days),
        purge_raw_after=_days(beamline.purge.raw_after_days),
        embargo=embargo,
        output_group=beamline.output_group,
        output_mode=beamline.output_mode,
    )


def _days(number: float | None) -> timedelta | None:
    return None if number is None else timedelta(days=number)


if __name__ == "__main__":
    main()
