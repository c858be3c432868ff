"""What every section of the settings has in common."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone, for example 2025-01-06T00:00:00Z")
    return moment


def _indicator_names(value: dict[str, Any]) -> dict[str, Any]:
    for name, given in value.items():
        for parameters in given if isinstance(given, list) else [given]:
            if parameters is not None and not isinstance(parameters, dict):
                raise ValueError(
                    f"{name} must be null, a map of parameters or a list of them"
                )
    return value


AwareDatetime = Annotated[datetime, AfterValidator(_aware)]
Fraction = Annotated[float, Field(ge=0, le=1)]
# Whether each is an indicator is for the room that knows them to say.
IndicatorNames = Annotated[dict[str, Any], AfterValidator(_indicator_names)]


class Section(BaseModel):
    """Base of every section: frozen, unknown keys refused, inputs never echoed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        validate_default=True,
    )
