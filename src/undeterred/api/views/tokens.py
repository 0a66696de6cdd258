"""Access tokens as clients see them: never with their text."""

from typing import Any

from undeterred.api.views.common import when
from undeterred.wire import messages as m


def token_message(row: Any) -> m.TokenInfo:
    """A row of `sessions` of kind "access"."""
    return m.TokenInfo(
        id=row.id,
        user_id=row.user_id,
        expiry=when(row.expires_at),
        created_at=when(row.created_at),
        token_type=m.TokenType.TOKEN_TYPE_ACCESS_TOKEN,
        revoked=row.revoked,
        description=row.description,
    )
