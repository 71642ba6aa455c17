"""What members need from the outside: one protocol each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from kernel.ids import PersonRef, TenantId
from members.identity import IdentityKind


class PeopleBook(Protocol):
    """Who is behind identities."""

    def person_of(
        self,
        connection: Any,  # the transaction of whoever keeps the records: this package knows no database
        tenant: TenantId,
        identities: Sequence[tuple[IdentityKind, str]],
        at: datetime,
        source: str,
    ) -> PersonRef | None:
        """The person whom these identities are of, as of ``at``; None where they say of nobody.

        Called within the transaction that stores what they came with, and all that it writes is undone with it. The
        values are raw: none may be stored or told.

        Raises:
            InputRefusedError: a value is none of its kind.
        """
        ...
