"""Access tokens: long-lived credentials for programs, made and revoked by people."""

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import choose, few, given, is_descending, pagination
from undeterred.api.views.tokens import token_message
from undeterred.base.clock import DAY
from undeterred.base.errors import Invalid, NotFound, Refused
from undeterred.base.ids import new_secret
from undeterred.base.settings import Token
from undeterred.core import durations
from undeterred.core.rights import Right
from undeterred.store import sessions, users
from undeterred.store.database import Tx
from undeterred.store.paging import memory_page
from undeterred.store.sessions import TokenFilter
from undeterred.wire import messages as m

_By = m.GetAccessTokensRequestSortBy
_SORTS = {
    _By.SORT_BY_UNSPECIFIED: "id",
    _By.SORT_BY_USER_ID: "user_id",
    _By.SORT_BY_EXPIRY: "expires_at",
    _By.SORT_BY_CREATED_AT: "created_at",
    _By.SORT_BY_TOKEN_TYPE: "kind",
    _By.SORT_BY_REVOKED: "revoked",
    _By.SORT_BY_DESCRIPTION: "description",
}
_UNLIMITED = "-1"


@operation("PostAccessToken", needs=Right.CREATE_TOKEN)
async def post_access_token(call: Call, req: m.PostAccessTokenRequest) -> m.PostAccessTokenResponse:
    """Make a token of a user; its text is in this answer and nowhere else."""
    lifespan = lifespan_of(given(req.lifespan), call.settings.security.token)
    secret = new_secret()

    def create(tx: Tx) -> int:
        call.require(tx, Right.CREATE_TOKEN, owner=req.user_id)
        users.get(tx, req.user_id)
        return sessions.create(tx, req.user_id, secret, kind="access", expires_at=tx.now + lifespan, description=req.description)

    return m.PostAccessTokenResponse(token=secret, token_id=await call.write(create))


@operation("GetAccessTokens", needs=Right.VIEW_TOKEN)
async def get_access_tokens(call: Call, req: m.GetAccessTokensRequest) -> m.GetAccessTokensResponse:
    """Tokens that can be used, or all ever made; never their text. Who may see only its own gets only its own."""
    token_ids = few(req.token_ids, "tokenIds")
    sort, descending = choose(_SORTS, req.sort_by, "sortBy"), is_descending(req.order_by)

    def load(tx: Tx) -> m.GetAccessTokensResponse:
        which = TokenFilter(_whose(call, tx, req.username), token_ids, req.show_inactive)
        page = memory_page(req.offset, req.limit, sessions.count_tokens(tx, which))
        rows = sessions.search_tokens(tx, which, sort, descending=descending, start=page.start, end=page.end)
        return m.GetAccessTokensResponse(token_info=[token_message(row) for row in rows], pagination=pagination(page))

    return await call.read(load)


@operation("PatchAccessToken", needs=Right.UPDATE_TOKEN)
async def patch_access_token(call: Call, req: m.PatchAccessTokenRequest) -> m.PatchAccessTokenResponse:
    """Describe a token anew, or revoke it for good."""

    def change(tx: Tx) -> m.TokenInfo:
        row = sessions.access_token(tx, req.token_id)
        call.require(tx, Right.UPDATE_TOKEN, owner=row.user_id)
        if row.revoked:
            raise Refused(f"access token {req.token_id} is revoked and cannot be changed any more")
        if isinstance(req.description, str):
            sessions.describe_token(tx, req.token_id, req.description)
        if req.set_revoked:
            sessions.revoke_token(tx, req.token_id)
            call.forget_sessions(tx)
        return token_message(sessions.access_token(tx, req.token_id))

    return m.PatchAccessTokenResponse(token_info=await call.write(change))


def lifespan_of(text: str | None, limits: Token) -> int:
    """Microseconds that a token asked for with `text` lives: a Go duration, "-1" for as long as allowed, None for the default.

    Raises Invalid for other texts, for a negative duration, and for a longer one than the settings allow.
    """
    longest = (durations.MAX_DAYS if limits.max_lifespan_days < 0 else limits.max_lifespan_days) * DAY
    if text is None:
        return longest if limits.default_lifespan_days < 0 else min(limits.default_lifespan_days * DAY, longest)
    if text == _UNLIMITED:
        return longest
    try:
        lifespan = durations.parse(text)
    except ValueError as error:
        raise Invalid(f'lifespan: {error}; "-1" is as long as allowed') from None
    if not 0 <= lifespan <= longest:
        raise Invalid(f'lifespan: {text} is not between 0 and {longest // DAY} days; "-1" is as long as allowed')
    return lifespan


def _whose(call: Call, tx: Tx, username: str) -> int | None:
    """Whose tokens are listed, None for everybody's; raises Forbidden where the caller may not see those."""
    if username:
        row = users.by_name(tx, username)
        if row is None:
            call.require(tx, Right.VIEW_TOKEN)
            raise NotFound(f"user {username!r} not found")
        call.require(tx, Right.VIEW_TOKEN, owner=row.id)
        return int(row.id)
    call.require(tx, Right.VIEW_TOKEN, owner=call.who.user_id)
    return None if call.allows(tx, Right.VIEW_OTHER_TOKEN) else call.who.user_id
