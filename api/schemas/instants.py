"""Instants in bodies: with a zone, in a range that arithmetic survives, kept as UTC."""

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from kernel.clock import sane_utc

Instant = Annotated[AwareDatetime, AfterValidator(sane_utc)]
