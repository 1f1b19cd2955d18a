"""What comes of a request: an answer, or one sentence that says who, what and what to do."""

from __future__ import annotations

import datetime as dt
import gzip
import logging
import threading
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from integrations.errors import (
    AddressRefused,
    AuthenticationFailed,
    CertificateRefused,
    ConfigurationError,
    IntegrationError,
    RateLimited,
    SystemUnavailable,
    UnusableAnswer,
    WrongSystem,
)
from integrations.http import Answer, Client, Limits, checked_address
from tests.connectors.web import Web, always, certificate, send, served

LOOPBACK = frozenset({"127.0.0.1"})
SECRET = "s3cr3t-in-a-header"


def client(web: Web | str, *, waits: list[float] | None = None, **values: Any) -> Client:
    """A client for a server, allowed to reach it, that notes its waits instead of waiting."""
    url = web if isinstance(web, str) else web.url
    settings = {"system": "Testing", "allowed_hosts": LOOPBACK, **values}
    return Client(url, sleep=(waits if waits is not None else []).append, **settings)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "whole address"),
        ("district.example.org", "whole address"),
        ("ftp://district.example.org", "whole address"),
        ("https://", "whole address"),
        ("https://[::1", "whole address"),
        ("https://district.example.org:99999", "whole address"),
        ("https://me:pw@district.example.org", "user name or password"),
        ("http://district.example.org", "begin with https"),
        ("https://127.0.0.1", "private"),
        ("https://10.0.0.5/aeries", "private"),
        ("https://169.254.169.254/latest", "private"),
        ("https://100.64.0.1", "private"),
        ("https://[::1]", "private"),
        ("https://[::ffff:10.0.0.5]", "private"),
        ("https://[fd00::1]", "private"),
        ("https://0.0.0.0", "private"),
    ],
)
def test_address_is_refused_when_it_cannot_be_used(url: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        checked_address(url)

    assert "pw" not in caught.value.message


@pytest.mark.parametrize("allowed", ["10.0.0.5", "10.0.0.5:8080", " 10.0.0.5:8080 "])
def test_private_address_is_taken_when_the_host_is_allowed(allowed: str) -> None:
    assert checked_address("http://10.0.0.5:8080/x?y=1#z", frozenset({allowed})).geturl() == "http://10.0.0.5:8080/x"


@pytest.mark.parametrize("allowed", ["10.0.0.5:8081", "10.0.0.50", "example.org"])
def test_private_address_is_refused_when_another_host_is_allowed(allowed: str) -> None:
    with pytest.raises(AddressRefused):
        checked_address("https://10.0.0.5:8080", frozenset({allowed}))


def test_name_that_leads_to_a_private_address_is_never_connected_to(tmp_path: Path) -> None:
    tls = certificate(tmp_path, name="localhost")
    with served(always(200), tls=tls) as web:
        url = web.url.replace("127.0.0.1", "localhost")
        with pytest.raises(AddressRefused, match="localhost"):
            client(url, allowed_hosts=frozenset(), ca_bundle=str(tls)).get("/")

    assert web.requests == []


def test_trusted_certificate_is_accepted(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    with served(always(200, b"[1]"), tls=tls) as web:
        assert client(web, ca_bundle=str(tls)).get("/").body == b"[1]"


def test_unknown_certificate_is_refused_with_the_reason(tmp_path: Path) -> None:
    waits: list[float] = []
    with (
        served(always(200), tls=certificate(tmp_path)) as web,
        pytest.raises(CertificateRefused, match="cannot be trusted .*self-signed") as caught,
    ):
        client(web, waits=waits).get("/", params={"key": SECRET})

    assert waits == []
    assert "127.0.0.1" in caught.value.message
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(("name", "days", "reason"), [("other.example", 1, "match"), ("127.0.0.1", -1, "expired")])
def test_unfit_certificate_is_refused_with_the_reason(tmp_path: Path, name: str, days: int, reason: str) -> None:
    tls = certificate(tmp_path, name=name, days=days)
    with served(always(200), tls=tls) as web, pytest.raises(CertificateRefused, match=reason):
        client(web, ca_bundle=str(tls)).get("/")


def test_plain_server_at_an_https_address_is_told() -> None:
    with served(always(200)) as web, pytest.raises(SystemUnavailable, match="does not speak https") as caught:
        client(web.url.replace("http:", "https:")).get("/")

    assert caught.value.sent is False


def test_unknown_host_is_told_at_once() -> None:
    waits: list[float] = []
    with pytest.raises(SystemUnavailable, match="There is no host no-such-host.invalid") as caught:
        client("https://no-such-host.invalid", waits=waits).get("/")

    assert caught.value.sent is False
    assert waits == []


def test_refused_connection_is_tried_again_then_told() -> None:
    with served(always(200)) as web:
        pass
    waits: list[float] = []
    with pytest.raises(SystemUnavailable, match="refuses the connection") as caught:
        client(web, waits=waits).get("/")

    assert caught.value.sent is False
    assert len(waits) == 3
    assert waits == sorted(waits)


def test_write_is_never_sent_twice() -> None:
    with served(always(503)) as web, pytest.raises(SystemUnavailable) as caught:
        client(web).send("POST", "/", body=b"{}")

    assert len(web.requests) == 1
    assert caught.value.sent is True


def test_repeatable_post_is_sent_again() -> None:
    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        send(handler, 503 if number == 1 else 200, b"[]")

    with served(reply) as web:
        assert client(web).send("POST", "/", body=b"{}", repeatable=True).body == b"[]"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_passing_status_is_tried_again(status: int) -> None:
    waits: list[float] = []
    with served(lambda h, n: send(h, status if n < 3 else 200, b"[2]")) as web:
        assert client(web, waits=waits).get("/").body == b"[2]"

    assert len(waits) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501])
def test_refusal_is_an_answer_and_not_tried_again(status: int) -> None:
    with served(always(status, b'{"Message": "no"}')) as web:
        answer = client(web).get("/")

    assert (answer.status, answer.body, len(web.requests)) == (status, b'{"Message": "no"}', 1)


def test_server_error_that_is_the_systems_own_word_is_an_answer() -> None:
    def own_word(answer: Answer) -> bool:
        return b"Invalid Student ID" in answer.body

    with served(always(500, b'{"Message": "Invalid Student ID"}')) as web:
        assert client(web).get("/", settled=own_word).status == 500

    assert len(web.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(status: int, form: str) -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=40)
    header = "40" if form == "seconds" else format_datetime(later, usegmt=True)
    waits: list[float] = []
    with served(lambda h, n: send(h, status if n == 1 else 200, b"[]", Retry_After=header)) as web:
        client(web, waits=waits).get("/")

    assert len(waits) == 1
    assert 30 < waits[0] <= 40


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (503, SystemUnavailable)])
def test_wait_of_more_than_a_minute_is_handed_on(status: int, kind: type[SystemUnavailable]) -> None:
    waits: list[float] = []
    with served(always(status, Retry_After="61")) as web, pytest.raises(kind) as caught:
        client(web, waits=waits).get("/")

    assert caught.value.retry_after_s == 61
    assert waits == []


def test_waits_of_one_call_are_bounded_in_all() -> None:
    waits: list[float] = []
    with served(always(429, Retry_After="35")) as web, pytest.raises(RateLimited):
        client(web, waits=waits).get("/")

    assert waits == [35]


@pytest.mark.parametrize("header", ["", "soon", "-5", "Wed, 99 Foo 2026"])
def test_senseless_retry_after_backs_off(header: str) -> None:
    waits: list[float] = []
    with served(lambda h, n: send(h, 429 if n == 1 else 200, b"[]", Retry_After=header)) as web:
        client(web, waits=waits).get("/")

    assert 0 < waits[0] <= 0.5


def test_gzip_is_unpacked() -> None:
    with served(always(200, gzip.compress(b"[1, 2]"), Content_Encoding="gzip")) as web:
        assert client(web).get("/").body == b"[1, 2]"


def test_broken_gzip_is_unusable() -> None:
    reply = always(200, b"no gzip at all", Content_Encoding="gzip")
    with served(reply) as web, pytest.raises(UnusableAnswer, match="unpacked"):
        client(web).get("/")


@pytest.mark.parametrize("packed", [True, False])
def test_answer_beyond_the_limit_is_given_up(packed: bool) -> None:
    body = b"[" + b"1," * 700_000 + b"1]"
    headers = {"Content_Encoding": "gzip"} if packed else {}
    reply = always(200, gzip.compress(body) if packed else body, **headers)
    with served(reply) as web, pytest.raises(UnusableAnswer, match="more than 1 MB"):
        client(web, limits=Limits(body_bytes=1 << 20)).get("/")


def test_byte_order_mark_is_taken_off() -> None:
    with served(always(200, b"\xef\xbb\xbf[1]")) as web:
        assert client(web).get("/").body == b"[1]"


@pytest.mark.parametrize(
    ("charset", "sent", "got"),
    [
        ("iso-8859-1", "Núñez".encode("latin-1"), "Núñez".encode()),
        ("iso-8859-1", "Núñez".encode(), "Núñez".encode()),
        ("utf-16", '"Núñez"'.encode("utf-16"), '"Núñez"'.encode()),
        ("no-such-charset", b"\xff", b"\xff"),
    ],
)
def test_other_charsets_become_utf8(charset: str, sent: bytes, got: bytes) -> None:
    with served(always(200, sent, Content_Type=f"application/json; charset={charset}")) as web:
        assert client(web).get("/").body == got


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"<html><title>Sign In</title><input type=password></html>", "a login page"),
        (b"<html>Down for maintenance</html>", "under maintenance"),
        (b"<html>Welcome to our school</html>", "Check the Url"),
    ],
)
def test_web_page_with_success_is_unusable(body: bytes, sentence: str) -> None:
    told = f"web page instead of data.*{sentence}"
    reply = always(200, body, Content_Type="text/html; charset=utf-8")
    with served(reply) as web, pytest.raises(UnusableAnswer, match=told):
        client(web).get("/")


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "application/xml"])
def test_other_content_is_unusable(kind: str) -> None:
    with served(always(200, b"[]", Content_Type=kind)) as web, pytest.raises(UnusableAnswer, match=kind):
        client(web).get("/")


def test_json_without_content_type_is_taken() -> None:
    with served(always(200, b" [1]", Content_Type="")) as web:
        assert client(web).get("/").body == b" [1]"


@pytest.mark.parametrize("body", [b"", b"  \n"])
def test_empty_success_is_unusable(body: bytes) -> None:
    with served(always(200, body)) as web, pytest.raises(UnusableAnswer, match="empty"):
        client(web).get("/")


def test_no_content_is_an_answer() -> None:
    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        handler.send_response(204)
        handler.end_headers()

    with served(reply) as web:
        assert client(web).get("/").status == 204


@pytest.mark.parametrize(
    ("location", "kind", "sentence"),
    [
        ("/login?ReturnUrl=/api", UnusableAnswer, "login page at 127.0.0.1"),
        ("https://sso.example.org/saml?x=1", UnusableAnswer, "login page at sso.example.org"),
        ("https://message.example.com/?server=me", SystemUnavailable, "under maintenance"),
        ("https://new.example.org/api?student=77", UnusableAnswer, "redirects to new.example.org"),
        ("http://169.254.169.254/latest", UnusableAnswer, "redirects to 169.254.169.254"),
        ("", UnusableAnswer, "redirects"),
        ("http://[broken", UnusableAnswer, "redirects"),
    ],
)
def test_redirect_is_told_and_never_followed(location: str, kind: type[IntegrationError], sentence: str) -> None:
    with served(always(302, b"", Location=location)) as web, pytest.raises(kind, match=sentence) as caught:
        client(web).get("/")

    assert len(web.requests) == 1
    assert "student" not in caught.value.message
    assert "?" not in caught.value.message


def test_hanging_server_is_given_up() -> None:
    done = threading.Event()

    def hang(handler: BaseHTTPRequestHandler, number: int) -> None:
        done.wait(5)

    with served(hang) as web:
        with pytest.raises(SystemUnavailable, match="too long") as caught:
            client(web, limits=Limits(read_s=0.1, attempts=2)).get("/")
        done.set()

    assert len(web.requests) == 2
    assert caught.value.sent is True


def test_dripping_answer_is_given_up() -> None:
    stop = threading.Event()

    def drip(handler: BaseHTTPRequestHandler, number: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not stop.wait(0.02):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    with served(drip) as web:
        with pytest.raises(SystemUnavailable, match="slowly"):
            client(web, limits=Limits(read_s=1, body_s=0.2)).get("/")
        stop.set()


def test_connection_is_kept_between_requests() -> None:
    ports: set[int] = set()

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        ports.add(handler.client_address[1])
        send(handler, 404 if number == 2 else 200, b'{"a": 1}')

    with served(reply) as web:
        ours = client(web)
        for _ in range(4):
            ours.get("/")

    assert len(ports) == 1


def test_cookies_are_not_kept() -> None:
    with served(always(200, b"[]", Set_Cookie="session=1; Path=/")) as web:
        ours = client(web)
        ours.get("/")
        ours.get("/")

    assert "Cookie" not in web.requests[1][2]


def test_no_more_requests_at_once_than_allowed() -> None:
    lock, too_many, open_now, most = threading.Lock(), threading.Event(), 0, 0

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        nonlocal open_now, most
        with lock:
            open_now += 1
            most = max(most, open_now)
            if open_now > 2:
                too_many.set()
        too_many.wait(0.1)
        with lock:
            open_now -= 1
        send(handler, 200, b"[]")

    with served(reply) as web:
        ours, other = (client(web, limits=Limits(at_once=2)) for _ in range(2))
        threads = [threading.Thread(target=one.get, args=("/",)) for one in (ours, other) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(web.requests) == 8
    assert most == 2


def test_interval_keeps_requests_apart() -> None:
    waits: list[float] = []
    with served(always(200, b"[]")) as web:
        for _ in range(3):
            client(web, waits=waits, limits=Limits(interval_s=60)).get("/")

    assert len(waits) == 2
    assert 30 < waits[0] <= 60 < waits[1] <= 120


def test_secret_with_a_line_break_is_refused_without_being_told() -> None:
    with pytest.raises(ConfigurationError, match="line break") as caught:
        client("https://district.example.org", headers={"Key": f"{SECRET}\n"})

    assert SECRET not in caught.value.message


def test_windows_sign_in_is_told() -> None:
    with served(always(401, b"", Content_Type="text/html", WWW_Authenticate="Negotiate")) as web:
        ours = client(web)
        refusal = ours.refusal(ours.get("/"))

    assert isinstance(refusal, AuthenticationFailed)
    assert "Windows" in refusal.message


def test_page_not_found_is_a_wrong_address() -> None:
    with served(always(404, b"<html></html>", Content_Type="text/html")) as web:
        ours = client(web)
        refusal = ours.refusal(ours.get("/"))

    assert isinstance(refusal, WrongSystem)
    assert "127.0.0.1" in refusal.message


def test_neither_logs_nor_errors_hold_query_or_header(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with served(always(503)) as web, pytest.raises(SystemUnavailable) as caught:
        client(web, headers={"Key": SECRET}).get("/students", params={"name": "Ortega"})

    assert caplog.records
    assert "Ortega" not in caplog.text + caught.value.message
    assert SECRET not in caplog.text + caught.value.message
