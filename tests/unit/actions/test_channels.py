"""Mail and Slack through apprise: what leaves, as a mail server on loopback and Slack's endpoint (imitated) get it."""

from __future__ import annotations

import json
import socketserver
import threading
from contextlib import contextmanager
from email import message_from_bytes, policy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from levaithan.actions import channels
from levaithan.actions.message import of_change
from levaithan.incidents.change import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = "a <b>bold</b> <!channel> @everyone [x](http://evil.test) `id`\r\nBcc: victim@evil.test"


class MailServer(socketserver.ThreadingTCPServer):
    """As much of SMTP (RFC 5321) as takes a mail. mails: (recipients, the mail); refuses: it takes none."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, *, refuses: bool) -> None:
        self.mails: list[tuple[list[str], Any]] = []
        self.refuses = refuses
        super().__init__(("127.0.0.1", 0), _Smtp)


class _Smtp(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        to: list[str] = []
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            if verb == b"RCPT":
                to.append(line.decode().partition("<")[2].partition(">")[0])
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                body = b""
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    body += line
                if not self.server.refuses:
                    self.server.mails.append((to, message_from_bytes(body, policy=policy.default)))
            self.wfile.write(b"554 no\r\n" if self.server.refuses and verb == b"DATA" else b"250 well\r\n")


@contextmanager
def mail_server(*, refuses: bool = False) -> Iterator[MailServer]:
    made = MailServer(refuses=refuses)
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()


def message(place: Any, **more: Any) -> Any:
    return of_change(Change("opened", place.incident(command="levaithan status", **more), place.now), [])


def url_of(server: MailServer) -> str:
    host, port = server.server_address[:2]
    return f"mailto://{host}:{port}?mode=insecure&from=alarms@example.test&to=ann@example.test&smtp={host}"


def test_a_mail_says_all_of_it_to_whom_the_url_names_and_to_nobody_else(place: Any) -> None:
    with mail_server() as server:
        assert channels.send(url_of(server), message(place, title=HOSTILE)) == ""
        ((to, mail),) = server.mails
    assert to == ["ann@example.test"]
    assert mail["Bcc"] is None and mail["Subject"].startswith("[P1] a ‹b›bold")
    text = mail.get_body(("plain",)).get_content()
    for part in ("What happened: ", "How bad: P1", "Done: nothing", "Next: acknowledge it", "Run: levaithan status"):
        assert part in text
    assert "<" not in text and "@everyone" not in text and "http://" not in text
    assert mail.get_body(("html",)) is None


def test_a_mail_server_that_refuses_is_said_without_the_url(place: Any) -> None:
    with mail_server(refuses=True) as server:
        url = url_of(server).replace("mailto://", "mailto://ann:hunter2hunter2@")
        why = channels.send(url, message(place))
    assert why == "mailto 127.0.0.1: it was not taken"


@pytest.mark.parametrize(("status", "said"), [(200, ""), (500, "slack: it was not taken")])
def test_slack_gets_plain_text(place: Any, monkeypatch: pytest.MonkeyPatch, status: int, said: str) -> None:
    sent: list[tuple[str, Any]] = []

    def request(_method: str, url: str, data: Any = None, **_more: Any) -> Any:
        sent.append((url, json.loads(data)))
        return SimpleNamespace(status_code=status, text="ok", content=b"ok", headers={})

    monkeypatch.setattr("apprise.plugins.slack.requests.request", request)
    token = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    assert channels.send(f"slack://{token}/#ops", message(place, title=HOSTILE)) == said
    url, told = sent[0]
    assert url.startswith("https://hooks.slack.com/")
    text = json.dumps(told, ensure_ascii=False)
    assert "[P1]" in text and "Run: levaithan status" in text
    assert "<!channel>" not in text and "@everyone" not in text and "http://evil" not in text
