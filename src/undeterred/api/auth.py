"""Login, logout, and the caller's own user."""

import asyncio

from undeterred.api import passwords
from undeterred.api.call import Call
from undeterred.api.operation import Needs, operation
from undeterred.api.views.users import user_message
from undeterred.base.errors import Busy, Forbidden, Invalid, Unauthenticated
from undeterred.base.ids import new_secret
from undeterred.base.settings import SESSION_LIFETIME
from undeterred.store import sessions, users
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_WRONG = "the user name or the password is wrong"


@operation("Login", needs=Needs.NOTHING)
async def login(call: Call, req: m.LoginRequest) -> m.LoginResponse:
    """Exchange a user name and a password for a token that lasts seven days."""
    if not req.username:
        raise Invalid("username must not be empty")
    client_digest = req.password if req.is_hashed else passwords.digest(req.password)
    found = await call.read(lambda tx: users.by_name(tx, req.username), quick=True)
    stored = None if found is None or found.remote else found.password_hash
    right, rehash = await asyncio.to_thread(passwords.verify, stored, client_digest)
    if found is None or not right:
        raise Unauthenticated(_WRONG)
    if not found.active:
        raise Forbidden(f"user {req.username} is not active")
    fresh = await asyncio.to_thread(passwords.hash_digest, client_digest) if rehash else None
    token = new_secret()

    def enter(tx: Tx) -> m.User:
        if fresh is not None:
            users.set_password_hash(tx, found.id, fresh)
        users.touch_login(tx, found.id)
        sessions.create(tx, found.id, token, expires_at=tx.now + SESSION_LIFETIME)
        return user_message(users.get(tx, found.id))

    try:
        user = await call.write(enter)
    except Busy:  # such as a full disk
        call.services.identities.lend(found, token)
        user = user_message(found)
    return m.LoginResponse(token=token, user=user)


@operation("CurrentUser", needs=Needs.LOGIN)
async def current_user(call: Call, _req: m.CurrentUserRequest) -> m.CurrentUserResponse:
    """Who the token belongs to."""
    row = await call.read(lambda tx: users.get(tx, call.who.user_id), quick=True)
    return m.CurrentUserResponse(user=user_message(row))


@operation("GetMe", needs=Needs.LOGIN, task=True)
async def get_me(call: Call, _req: m.GetMeRequest) -> m.GetMeResponse:
    """The caller's own user; for the token of a task, the owner of the task."""
    row = await call.read(lambda tx: users.get(tx, call.who.user_id), quick=True)
    return m.GetMeResponse(user=user_message(row))


@operation("Logout", needs=Needs.LOGIN)
async def logout(call: Call, _req: m.LogoutRequest) -> m.LogoutResponse:
    """End the session of the token at once; an access token stays valid until it is revoked."""
    if call.who.session_id < 0:
        call.services.identities.take_back(call.who)
    elif call.who.kind == "session":

        def leave(tx: Tx) -> None:
            sessions.delete(tx, call.who.session_id)
            call.forget_sessions(tx)

        await call.write(leave)
    return m.LogoutResponse()
