"""Who may see the staff console: one password, sessions, CSRF, and attempts that run out.

Every route of the console goes through `Gate.route`, before its body is read: nothing can be
uploaded, looked at or changed without a session. Of a session only the hash of its token is kept.

Wrong passwords are counted for each address and, slowly, for all; a browser that has logged in
before is counted by itself, so that nobody can lock it out by guessing (OWASP, Slow Down Online
Guessing Attacks with Device Cookies).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import math
import re
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import quote, urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from fastapi.routing import APIRoute
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.concurrency import run_in_threadpool

from bot.journal import Journal, Session
from bot.settings import Settings
from bot.web import view
from index.errors import CitewellError

_log = logging.getLogger(__name__)

COOKIE = "citewell_staff"
DEVICE = "citewell_device"
"""The cookie of a browser that has logged in before."""
DEVICE_S = 180 * 24 * 3600
"""Seconds that it is kept from the last time the password was right."""
HOME = "/staff"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    # With "no-referrer" browsers would not say which site a form is from.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
WRONG_AN_ADDRESS = RateLimitItemPerMinute(5, 15)
WRONG_A_DEVICE = RateLimitItemPerMinute(5, 15)
WRONG_IN_ALL = RateLimitItemPerHour(100)
"""Of all browsers that never logged in: 2,400 guesses a day, from any number of addresses."""
_FILES_AT_ONCE = 5
"""How many files of the greatest size one upload may bring."""
_FORM_BYTES = 1_000_000
_OPEN = ("/staff/login",)
_WITHIN = re.compile(r"/staff(?:[/?][\w/?=&+%.~:-]*)?", re.ASCII)
_RENEWED_S = 60
"""How far a session's end is moved at least: each time is a write to the disk."""
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class TooMany(Exception):
    """Too many wrong passwords; `seconds` until another may be tried."""

    def __init__(self, seconds: int) -> None:
        """Say how long to wait."""
        super().__init__(f"wait {seconds} seconds")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Started:
    """A session just begun: the tokens only the browser keeps."""

    token: str
    csrf: str
    device: str


def hash_password(password: str) -> str:
    """Return the argon2id hash to put under `[staff] password_hash`."""
    return PasswordHasher().hash(password)


def within(wanted: str) -> str:
    """Return the page asked for, if it is one of the console; else its first page."""
    apart = ".." in wanted or "//" in wanted or "%2e" in wanted.lower()
    return wanted if _WITHIN.fullmatch(wanted) and not apart else HOME


class Gate:
    """Lets staff in. Safe to share between threads; attempts are counted in this process."""

    def __init__(
        self, settings: Settings, journal: Journal, now: Callable[[], float] = time.time
    ) -> None:
        """Keep sessions in `journal`; `now` is in seconds since 1970."""
        self._settings = settings
        self._journal = journal
        self._now = now
        self._wrong = MovingWindowRateLimiter(MemoryStorage())
        self._one_at_a_time = Lock()

    @property
    def is_on(self) -> bool:
        """Whether the clinic set a password."""
        return bool(self._settings.staff.password_hash.get_secret_value())

    def log_in(self, password: str, address: str, device: str = "") -> Started | None:
        """Begin a session, or return None for a wrong password. Raises TooMany.

        `device` is what the browser was given when it logged in before, "" if it never did.
        One attempt at a time, so that many at once cannot outrun their count.
        """
        with self._one_at_a_time:
            keys = self._counted_by(address, device)
            for limit, key in keys:
                if not self._wrong.test(limit, key):
                    reset = self._wrong.get_window_stats(limit, key).reset_time
                    raise TooMany(max(1, math.ceil(reset - self._now())))
            if not self._verify(password):
                for limit, key in keys:
                    self._wrong.hit(limit, key)
                return None
        name = secrets.token_urlsafe(16)
        started = Started(
            secrets.token_urlsafe(32), secrets.token_urlsafe(32), f"{name}.{self._sign(name)}"
        )
        self._journal.start_session(self._key(started.token), started.csrf, self._end())
        return started

    def log_out(self, session: Session) -> None:
        """End a session."""
        self._journal.end_session(session.token_sha256)

    def session(self, token: str) -> Session | None:
        """Return the session of a token, its end moved on, or None if it has ended."""
        longest = self._settings.staff.session_minutes * 60
        found = self._journal.session(self._key(token), longest) if token else None
        if found is None or found.expires <= self._now():
            return None
        if self._end() - found.expires > _RENEWED_S:
            self._journal.extend_session(found.token_sha256, self._end())
        return found

    def route(self) -> type[APIRoute]:
        """Return the class of routes that only staff can take."""
        gate = self

        class StaffRoute(APIRoute):
            def get_route_handler(self) -> Handler:
                handler = super().get_route_handler()

                async def guarded(request: Request) -> Response:
                    response = await gate.answer(request, handler)
                    for name, value in HEADERS.items():
                        response.headers.setdefault(name, value)
                    return response

                return guarded

        return StaffRoute

    async def answer(self, request: Request, handler: Handler) -> Response:
        """Pass a request on to `handler` if it may go there; else say why not."""
        if not self.is_on:
            return PlainTextResponse("There is nothing here.", 404)
        try:
            return await self._answer(request, handler)
        except RequestValidationError:
            return _plain(422, "The form was not filled in as it should be. Go back and try again.")
        except HTTPException as error:
            return _plain(error.status_code, str(error.detail))
        except CitewellError as error:
            return _plain(503, str(error))

    async def _answer(self, request: Request, handler: Handler) -> Response:
        token = request.cookies.get(COOKIE, "")
        session = await run_in_threadpool(self.session, token)
        if session is None and request.url.path not in _OPEN:
            asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            back = within(asked) if request.method == "GET" else HOME
            return RedirectResponse(f"/staff/login?next={quote(back, safe='')}", 303)
        request.state.session = session
        if request.method not in ("GET", "HEAD"):
            await self._require_ours(request, session)
        return await handler(request)

    async def _require_ours(self, request: Request, session: Session | None) -> None:
        """Refuse what is too large or from no form of this session. Raises HTTPException."""
        length = request.headers.get("content-length", "")
        if not length.isdigit():
            raise HTTPException(411, "The request does not say how long it is.")
        files = request.url.path == "/staff/pages/uploads"
        largest = self._settings.corpus.max_file_mb * 1_000_000 * _FILES_AT_ONCE if files else 0
        if int(length) > largest + _FORM_BYTES:
            raise HTTPException(413, "That is more than can be sent at once. Send it in parts.")
        if _is_from_elsewhere(request):
            raise HTTPException(403, "This form was sent from another site.")
        if session is not None and request.url.path not in _OPEN:
            given = (await request.form()).get("csrf")
            text = given if isinstance(given, str) else ""
            if not secrets.compare_digest(text.encode(), session.csrf.encode()):
                raise HTTPException(403, "This form is out of date. Go back, reload and try again.")

    def _counted_by(self, address: str, device: str) -> tuple[tuple[RateLimitItem, str], ...]:
        """Return under which names a wrong password is counted, and how many are too many."""
        name, _, signed = device.partition(".")
        if secrets.compare_digest(signed.encode(), self._sign(name).encode()):
            return ((WRONG_A_DEVICE, f"device {name}"),)
        return ((WRONG_AN_ADDRESS, _network(address)), (WRONG_IN_ALL, "all"))

    def _sign(self, name: str) -> str:
        """Sign a device. A new password makes other signatures: every browser is new again."""
        kept = self._settings.staff.password_hash.get_secret_value()
        return hmac.new(kept.encode(), f"device {name}".encode(), hashlib.sha256).hexdigest()

    def _verify(self, password: str) -> bool:
        try:
            kept = self._settings.staff.password_hash.get_secret_value()
            return PasswordHasher().verify(kept, password)
        except InvalidHashError:
            _log.error(
                "staff.password_hash is not an argon2 hash, so nobody can log in; make one with: "
                "citewell password"
            )
            return False
        except Argon2Error:
            return False

    def _key(self, token: str) -> str:
        """Return what is kept of a token. A new password makes other keys: it ends all sessions."""
        kept = self._settings.staff.password_hash.get_secret_value()
        return hashlib.sha256(f"{token} {kept}".encode()).hexdigest()

    def _end(self) -> float:
        return self._now() + self._settings.staff.session_minutes * 60


def _plain(status: int, message: str) -> Response:
    return HTMLResponse(view.render("staff/message.html", message=message), status)


def _is_from_elsewhere(request: Request) -> bool:
    """Tell whether a browser sent this from a page of another origin.

    Browsers say it in `Sec-Fetch-Site`, but not over plain http; there `Origin` is compared.
    """
    if site := request.headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


def _network(address: str) -> str:
    """Return whose attempts are counted together: an IPv4 address, or the /64 an IPv6 one is in."""
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        return address
    return str(ipaddress.ip_network((address, 64 if version == 6 else 32), strict=False))
