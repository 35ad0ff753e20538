"""Who gets into the staff console, for how long, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from staffing import PASSWORD, console, password_hash

from bot.settings import Staff
from bot.web.staff.auth import COOKIE, DEVICE, Gate, TooMany, hash_password, within

PATHS = ("/staff", "/staff/answers", "/staff/gaps", "/staff/pages", "/staff/report",
         "/staff/golden.jsonl", "/staff/pages/progress", "/staff/no/such/page")  # fmt: skip
POSTS = ("/staff", "/staff/marks", "/staff/answers", "/staff/answers/edit", "/staff/gaps/done",
         "/staff/pages/index", "/staff/pages/back", "/staff/pages/uploads", "/staff/pages/remove",
         "/staff/answers/1/withdraw", "/staff/answers/1/renew", "/staff/marks/1/drop",
         "/staff/logout")  # fmt: skip


@pytest.fixture
def staff(assistant, tmp_path):
    with console(assistant, tmp_path) as opened:
        yield opened


@pytest.fixture
def stopped(staff, monkeypatch):
    """The console, the clock that counts attempts standing still too."""
    monkeypatch.setattr("limits.storage.memory.time", staff.clock)
    monkeypatch.setattr("limits.strategies.time", staff.clock)
    return staff


@pytest.mark.parametrize("path", [*PATHS, "/staff/login"])
def test_without_a_password_set_there_is_nothing(assistant, tmp_path, path):
    with console(assistant, tmp_path, has_password=False) as staff:
        assert staff.get(path).status_code == 404
        assert staff.client.post(path, data={"password": ""}).status_code == 404


@pytest.mark.parametrize("path", PATHS)
def test_whoever_is_not_logged_in_is_asked_for_the_password(staff, path):
    answer = staff.get(path)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/staff/login?next=%2Fstaff")


@pytest.mark.parametrize("path", POSTS)
def test_nothing_can_be_done_without_a_session(staff, path):
    answer = staff.client.post(path, data={"csrf": "", "question": "x"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/staff/login?next=%2Fstaff")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_form_of_another_page_is_refused(staff, path, token):
    staff.log_in()
    answer = staff.client.post(path, data={"csrf": token, "question": "x"} if token else {"a": "b"})
    assert answer.status_code == 403
    assert "out of date" in answer.text


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"},
     {"Origin": "https://evil.example"}, {"Origin": "http://testserver:81"},
     {"Origin": "http://testserver.evil.example"}, {"Origin": ""}],
    ids=str,
)  # fmt: skip
def test_a_form_sent_by_another_site_is_refused_even_at_the_door(staff, headers):
    sent = staff.client.post("/staff/login", data={"password": PASSWORD}, headers=headers)
    assert sent.status_code == 403
    assert COOKIE not in staff.client.cookies


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"},
     {"Origin": "http://testserver"}, {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy"}],
    ids=str,
)  # fmt: skip
def test_a_form_of_ours_is_taken_behind_a_proxy_too(staff, headers):
    sent = staff.client.post("/staff/login", data={"password": PASSWORD}, headers=headers)
    assert sent.status_code == 303


def test_the_password_opens_and_logging_out_closes(staff):
    answer = staff.log_in()
    assert (answer.status_code, answer.headers["Location"]) == (303, "/staff")
    assert staff.get("/staff").status_code == 200
    token = staff.client.cookies[COOKIE]
    assert staff.post("/staff/logout").headers["Location"] == "/staff/login"
    staff.client.cookies.set(COOKIE, token, path="/staff")
    assert staff.get("/staff").status_code == 303


def test_the_cookie_is_for_this_server_and_no_script(staff):
    cookies = [cookie.lower() for cookie in staff.log_in().headers.get_list("Set-Cookie")]
    assert [cookie.split("=")[0] for cookie in cookies] == [COOKIE, DEVICE]
    for cookie in cookies:
        assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/staff"))
        assert "secure" not in cookie and "domain" not in cookie
    assert "max-age" not in cookies[0] and "expires" not in cookies[0]


def test_over_https_the_cookie_never_travels_otherwise(assistant, tmp_path):
    with console(assistant, tmp_path, address="https://testserver") as staff:
        cookies = staff.log_in().headers.get_list("Set-Cookie")
        assert len(cookies) == 2 and all("; secure" in cookie.lower() for cookie in cookies)


def test_the_journal_holds_no_token(staff, tmp_path):
    staff.log_in()
    token = staff.client.cookies[COOKIE]
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("staff.db*"))
    assert len(token) >= 43
    assert token.encode() not in kept


def test_a_session_lasts_while_it_is_used_and_ends_when_it_is_not(staff):
    staff.log_in()
    for _ in range(3):
        staff.clock.seconds += 29 * 60
        assert staff.get("/staff").status_code == 200
    staff.clock.seconds += 31 * 60
    assert staff.get("/staff").status_code == 303


def test_a_new_password_ends_every_session(assistant, tmp_path, staff):
    staff.log_in()
    token = staff.client.cookies[COOKIE]
    with console(assistant, tmp_path) as same:
        same.client.cookies.set(COOKIE, token, path="/staff")
        assert same.get("/staff").status_code == 200
    other = Staff(password_hash=SecretStr("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAA"))
    with console(assistant, tmp_path, staff=other) as changed:
        changed.client.cookies.set(COOKIE, token, path="/staff")
        assert changed.get("/staff").status_code == 303


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD.upper(), PASSWORD + " ", "\0", "é" * 9])
def test_a_wrong_password_is_told_and_opens_nothing(staff, password):
    answer = staff.log_in(password)
    assert answer.status_code == 401
    assert "That is not the password." in answer.text
    assert COOKIE not in staff.client.cookies


def test_after_five_wrong_passwords_one_waits(stopped):
    for _ in range(5):
        assert stopped.log_in("wrong").status_code == 401
        stopped.clock.seconds += 60
    refused = stopped.log_in()
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "600"
    assert "Try again in 10 minutes." in refused.text
    stopped.clock.seconds += 601
    assert stopped.log_in().status_code == 303


def test_right_passwords_are_not_counted(stopped):
    assert [stopped.log_in().status_code for _ in range(7)] == [303] * 7


@pytest.fixture
def besieged(stopped, assistant, tmp_path, monkeypatch):
    """The console, and a gate beside it that a hundred addresses have tried in vain."""
    logged_in = stopped.log_in().status_code == 303
    gate = Gate(
        assistant.settings.model_copy(update={"staff": Staff(password_hash=password_hash())}),
        stopped.journal, stopped.clock,
    )  # fmt: skip
    with monkeypatch.context() as quick:
        quick.setattr(gate, "_verify", lambda password: False)
        for number in range(100):
            assert gate.log_in("wrong", f"10.0.0.{number}") is None
    assert logged_in
    return stopped, gate


def test_many_addresses_share_one_slow_count(besieged):
    staff, gate = besieged
    with pytest.raises(TooMany) as told:
        gate.log_in(PASSWORD, "10.1.1.1")
    assert 0 < told.value.seconds <= 3600
    staff.clock.seconds += 3601
    assert gate.log_in(PASSWORD, "10.1.1.1")


def test_nobody_can_lock_out_a_browser_that_has_logged_in_before(besieged):
    staff, gate = besieged
    device = staff.client.cookies[DEVICE]
    assert gate.log_in(PASSWORD, "10.0.0.1", device)
    staff.post("/staff/logout")
    assert COOKIE not in staff.client.cookies and staff.client.cookies[DEVICE] == device


def test_guessing_with_a_known_browser_is_counted_for_it_alone(besieged):
    staff, gate = besieged
    device = staff.client.cookies[DEVICE]
    assert [gate.log_in("wrong", f"10.2.0.{n}", device) for n in range(5)] == [None] * 5
    with pytest.raises(TooMany):
        gate.log_in(PASSWORD, "10.2.0.9", device)
    staff.clock.seconds += 15 * 60 + 1
    assert gate.log_in(PASSWORD, "10.2.0.9", device)


@pytest.mark.parametrize("forged", ["", ".", "a", "a.b", "é.é", "{0}", "{0}.", ".{1}", "b.{1}"])
def test_a_known_browser_cannot_be_made_up(besieged, forged):
    staff, gate = besieged
    with pytest.raises(TooMany):
        gate.log_in(PASSWORD, "10.3.0.1", forged.format(*staff.client.cookies[DEVICE].split(".")))


def test_a_new_password_makes_every_browser_new(besieged, assistant):
    staff, _ = besieged
    other = Staff(password_hash=SecretStr(hash_password("another password")))
    changed = Gate(
        assistant.settings.model_copy(update={"staff": other}), staff.journal, staff.clock
    )
    keys = changed._counted_by("10.4.0.1", staff.client.cookies[DEVICE])
    assert [key for _, key in keys] == ["10.4.0.1/32", "all"]


def test_the_addresses_of_one_network_count_as_one(assistant, tmp_path):
    from bot.web.staff.auth import _network

    assert _network("2001:db8::1") == _network("2001:db8::2:3") != _network("2001:db8:0:1::1")
    assert _network("192.0.2.1") != _network("192.0.2.2")
    assert _network("testclient") == "testclient"


def test_a_setting_that_is_no_hash_is_logged_and_opens_nothing(assistant, tmp_path, caplog):
    from bot.journal import Journal

    settings = assistant.settings.model_copy(
        update={"staff": Staff(password_hash=SecretStr("plain text"))}
    )
    journal = Journal.open(f"sqlite:///{tmp_path / 'other.db'}")
    assert Gate(settings, journal).log_in("plain text", "10.0.0.1") is None
    assert "citewell password" in caplog.text
    journal.close()


def test_logging_in_leads_back_to_the_page_asked_for(staff):
    asked = staff.get("/staff/gaps?x=1").headers["Location"]
    assert asked == "/staff/login?next=%2Fstaff%2Fgaps%3Fx%3D1"
    assert 'value="/staff/gaps?x=1"' in staff.get(asked).text
    assert staff.log_in(next="/staff/gaps?x=1").headers["Location"] == "/staff/gaps?x=1"
    assert staff.get(asked).headers["Location"] == "/staff/gaps?x=1"


@pytest.mark.parametrize(
    "next_page",
    ["https://evil.example", "//evil.example", "/staff//evil.example", "/staff/../x", "/pages/x",
     "/staffing", "/staff/%2e%2e/x", "/staff\\evil", "javascript:alert(1)", "", "/staff\n/x",
     "/staff@evil.example", "/staff/<script>"],
)  # fmt: skip
def test_logging_in_leads_nowhere_else(staff, next_page):
    assert within(next_page) == "/staff"
    assert staff.log_in(next=next_page).headers["Location"] == "/staff"


@pytest.mark.parametrize("path", [*PATHS, "/staff/login"])
@pytest.mark.parametrize("inside", [True, False])
def test_every_answer_has_its_own_strict_headers(staff, path, inside):
    if inside:
        staff.log_in()
    headers = staff.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"


def test_what_is_not_there_is_told_to_those_inside(staff):
    staff.log_in()
    answer = staff.get("/staff/no/such/page")
    assert answer.status_code == 404
    assert "There is no such page." in answer.text


def test_a_form_too_large_is_refused_before_it_is_read(staff):
    staff.log_in()
    length = {"Content-Length": str(10**9)}
    sent = staff.client.post("/staff/pages/uploads", content=b"x", headers=length)
    assert sent.status_code == 413


def test_a_form_of_unknown_length_is_refused(staff):
    staff.log_in()
    sent = staff.client.post("/staff/pages/uploads", content=iter([b"x"]))
    assert sent.status_code == 411
