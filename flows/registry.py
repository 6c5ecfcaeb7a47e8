"""The flows that the platform knows, by technique."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from flows.ct.recipe import RECIPE_VERSION as CT_RECIPE_VERSION
from flows.ct.recipe import Recipe as CTRecipe
from flows.ct.size import output_bytes as ct_output_bytes
from flows.mx.recipe import RECIPE_VERSION as MX_RECIPE_VERSION
from flows.mx.recipe import Recipe as MXRecipe
from flows.mx.series.recipe import RECIPE_VERSION as MX_SERIES_RECIPE_VERSION
from flows.mx.series.recipe import Recipe as MXSeriesRecipe
from flows.mx.size import output_bytes as mx_output_bytes
from flows.pdf.calibration.recipe import RECIPE_VERSION as PDF_CALIBRATION_RECIPE_VERSION
from flows.pdf.calibration.recipe import Recipe as PDFCalibrationRecipe
from flows.pdf.recipe import RECIPE_VERSION as PDF_RECIPE_VERSION
from flows.pdf.recipe import Recipe as PDFRecipe
from flows.pdf.size import output_bytes as pdf_output_bytes
from flows.xas.recipe import RECIPE_VERSION as XAS_RECIPE_VERSION
from flows.xas.recipe import Recipe as XASRecipe
from flows.xas.series.recipe import RECIPE_VERSION as XAS_SERIES_RECIPE_VERSION
from flows.xas.series.recipe import Recipe as XASSeriesRecipe
from flows.xas.size import output_bytes as xas_output_bytes

OutputBytes = Callable[[str, Mapping[str, Any], Mapping[str, Any]], int | None]


@dataclass(frozen=True)
class FlowEntry:
    """One flow: its name in Prefect and the catalogue, where it lives, and its recipe.

    Attributes
    ----------
    name : str
        The flow's name; its deployment is ``name/technique``.
    technique : str
        The technique whose scans it reduces.
    entrypoint : str
        ``module:function`` of the Prefect flow.
    recipe : type of BaseModel
        The typed parameters.
    version : str
        Version of the recipe: part of every run key.
    output_bytes : callable, optional
        Estimates from detector, metadata and recipe how much room the results need; it may not
        know. Without it, past results tell.
    series : str, optional
        The key in `FLOWS` of the flow that reduces the results of this one together, where scans
        form a series. Its inputs have the role ``member``.
    calibrates : str
        The kind of calibration that it reduces; empty for a flow of scans or series.
    """

    name: str
    technique: str
    entrypoint: str
    recipe: type[BaseModel]
    version: str
    output_bytes: OutputBytes | None = None
    series: str | None = None
    calibrates: str = ""


FLOWS: dict[str, FlowEntry] = {
    "ct": FlowEntry(
        name="ct-reduction",
        technique="ct",
        entrypoint="flows.ct.flow:reduce_ct",
        recipe=CTRecipe,
        version=CT_RECIPE_VERSION,
        output_bytes=ct_output_bytes,
    ),
    "mx": FlowEntry(
        name="mx-reduction",
        technique="mx",
        entrypoint="flows.mx.flow:reduce_mx",
        recipe=MXRecipe,
        version=MX_RECIPE_VERSION,
        output_bytes=mx_output_bytes,
        series="mx-series",
    ),
    "mx-series": FlowEntry(
        name="mx-series",
        technique="mx",
        entrypoint="flows.mx.series.flow:reduce_mx_series",
        recipe=MXSeriesRecipe,
        version=MX_SERIES_RECIPE_VERSION,
    ),
    "pdf": FlowEntry(
        name="pdf-reduction",
        technique="pdf",
        entrypoint="flows.pdf.flow:reduce_pdf",
        recipe=PDFRecipe,
        version=PDF_RECIPE_VERSION,
        output_bytes=pdf_output_bytes,
    ),
    "pdf-calibration": FlowEntry(
        name="pdf-calibration",
        technique="pdf",
        entrypoint="flows.pdf.calibration.flow:calibrate_detector",
        recipe=PDFCalibrationRecipe,
        version=PDF_CALIBRATION_RECIPE_VERSION,
        calibrates="calibrant",
    ),
    "xas": FlowEntry(
        name="xas-reduction",
        technique="xas",
        entrypoint="flows.xas.flow:reduce_xas",
        recipe=XASRecipe,
        version=XAS_RECIPE_VERSION,
        output_bytes=xas_output_bytes,
        series="xas-series",
    ),
    "xas-series": FlowEntry(
        name="xas-series",
        technique="xas",
        entrypoint="flows.xas.series.flow:reduce_xas_series",
        recipe=XASSeriesRecipe,
        version=XAS_SERIES_RECIPE_VERSION,
    ),
}
