"""Logging in and out, and the answer to everything under `/staff` that is not there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from bot.web import view
from bot.web.staff.auth import COOKIE, DEVICE, DEVICE_S, HOME, Gate, TooMany, within

_LONGEST = 1000
_OTHERS = ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
"""Methods no page here takes."""


def add(router: APIRouter, gate: Gate) -> None:
    """Add the doors to `router`; they come last, for the last one catches every other path."""

    @router.get("/staff/login")
    def door(request: Request, next: str = HOME) -> Response:  # noqa: A002
        if request.state.session is not None:
            return RedirectResponse(within(next), 303)
        return _login(within(next))

    @router.post("/staff/login")
    def log_in(
        request: Request,
        password: Annotated[str, Form(max_length=_LONGEST)] = "",  # nosec B107 # nothing typed
        next: Annotated[str, Form()] = HOME,  # noqa: A002
    ) -> Response:  # fmt: skip
        address = request.client.host if request.client else ""
        wanted = within(next)
        try:
            started = gate.log_in(password, address, request.cookies.get(DEVICE, ""))
        except TooMany as error:
            minutes = -(-error.seconds // 60)
            unit = "minute" if minutes == 1 else "minutes"
            fault = f"Too many wrong passwords. Try again in {minutes} {unit}."
            return _login(wanted, fault, 429, {"Retry-After": str(error.seconds)})
        if started is None:
            return _login(wanted, "That is not the password.", 401)
        response = RedirectResponse(wanted, 303)
        secure = request.url.scheme == "https"
        for name, value, kept_s in (
            (COOKIE, started.token, None), (DEVICE, started.device, DEVICE_S),
        ):  # fmt: skip
            response.set_cookie(
                name, value, kept_s, path=HOME, httponly=True, samesite="strict", secure=secure
            )
        return response

    @router.post("/staff/logout")
    def log_out(request: Request) -> Response:
        gate.log_out(request.state.session)
        response = RedirectResponse("/staff/login", 303)
        response.delete_cookie(COOKIE, path=HOME, httponly=True, samesite="strict")
        return response

    @router.api_route("/staff", methods=_OTHERS)
    @router.api_route("/staff/{rest:path}", methods=["GET", "HEAD", "POST", *_OTHERS])
    def nothing(rest: str = "") -> Response:
        raise HTTPException(404, "There is no such page.")


def _login(
    wanted: str, fault: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    shown = view.render("staff/login.html", next=wanted, fault=fault)
    return HTMLResponse(shown, status, headers)
