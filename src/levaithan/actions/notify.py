"""Human alert: tells people through the channels of the settings, and does not give up until one has taken it.

A message waits in an outbox on the disk. Its first URL is tried with growing pauses; when no receipt came within the
time that the settings allow, the next URL is tried as well, and after the last one the message is put into a file and
`levaithan status` says so, while the trying goes on. Sending is done in a thread: a receiver that hangs holds nobody
up. What became of a message is an action's record (`human_alert`): "done" with its channel, or with the file.
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

from levaithan.actions import channels, fallback, records
from levaithan.actions.action import MONITOR
from levaithan.actions.message import Message
from levaithan.actions.outbox import Outbox
from levaithan.actions.registry import HUMAN_ALERT
from levaithan.hot.halts import stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home

PAUSES_S = (2.0, 5.0, 15.0, 30.0, 60.0, 300.0)
GIVE_UP_S = 86_400.0
"""After a day a message leaves the outbox: it stands in the file, and its incident in the journal."""
DIGEST = "P3"


class Notifier:
    """One process's. write(kind, body): appends one record; now: Unix seconds that do not jump (the monitor's own)."""

    def __init__(
        self,
        home: Home,
        settings: Any,
        write: Callable[[str, dict[str, Any]], object],
        now: Callable[[], float] = time.time,
        *,
        send: Callable[[str, Message], str] = channels.send,
    ) -> None:
        self.home, self.settings, self.write, self.now = home, settings, write, now
        self.outbox = Outbox(home)
        self.trouble = ""
        self._send = send
        self._thread: threading.Thread | None = None
        self._sent: list[tuple[dict[str, Any], str, str]] = []
        self._sending = ""
        self._unwritten: list[dict[str, Any]] = []

    def tell(self, message: Message) -> bool:
        """Have people told; at once in the outbox, sent at the next ticks. False for one that they were told just now,
        or that goes into the daily digest. Never raises."""
        try:
            if message.severity == DIGEST and message.level == 0:
                if self.urls(0):
                    self.outbox.add_to_digest(message)
                return False
            posted = self.outbox.post(message, self.now())
        except OSError as problem:
            self.trouble = f"the outbox cannot be written: {problem}"
            self._fall(message)
            return True
        if posted and not self.urls(message.level):
            self._fall(message)
            self._settle(message.id, lambda _one: True)
        return posted

    def urls(self, level: int) -> list[str]:
        """Who is told at a page level, in the order in which they are tried: those of the level first, then those
        below it; whoever there is, where nobody is set for it."""
        texts = (self.settings.notify_urls, self.settings.notify_urls_next, self.settings.notify_urls_last)
        chosen = [channels.urls_of(text) for text in texts]
        found = [url for urls in reversed(chosen[: level + 1]) for url in urls]
        return found or [url for urls in chosen for url in urls]

    def tick(self) -> None:
        """Collect what was sent, and begin to send the next that is due. Each second or so; never waits or raises."""
        self._collect()
        self._digest()
        self._write_down()
        if self._thread is not None and self._thread.is_alive():
            return
        due = [one for one in self.outbox.waiting() if one["next_s"] <= self.now()]
        if due:
            one = min(due, key=lambda one: (one["message"]["severity"], one["posted_s"]))
            self._begin(one)

    def flush(self, wait_s: float) -> bool:
        """Send what waits, for at most `wait_s` seconds of real time; whether nothing is left."""
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            self.tick()
            if not self.outbox.waiting():
                return True
            time.sleep(0.02)
        return False

    def _begin(self, entry: dict[str, Any]) -> None:
        try:
            message = Message.of(entry["message"])
        except TypeError:
            self._settle(entry["message"]["id"], lambda _one: True)
            return
        urls = self.urls(message.level)
        if not urls:
            self._fall(message)
            self._settle(message.id, lambda _one: True)
            return
        url = urls[min(int(entry["channel"]), len(urls) - 1)]

        def work() -> None:
            self._sent.append((entry, url, self._send(url, message)))

        self._thread = threading.Thread(target=work, name="levaithan-notify", daemon=True)
        self._thread.start()

    def _collect(self) -> None:
        while self._sent:
            entry, url, why = self._sent.pop(0)
            message = Message.of(entry["message"])
            if not why:
                self.trouble = ""
                self._settle(message.id, lambda _one: True)
                self._record(message, channels.name_of(url), self.now() - float(entry["posted_s"]))
                continue
            self.trouble = why
            self._failed(entry, message)

    def _failed(self, entry: dict[str, Any], message: Message) -> None:
        """The next try: the same URL for as long as the receipt may take, then the next one, then the file as well."""
        urls, now = self.urls(message.level), self.now()
        fell: list[bool] = []

        def edit(one: dict[str, Any]) -> bool:
            one["tries"] = int(one["tries"]) + 1
            since = float(one.get("since_s") or one["posted_s"])
            pause = PAUSES_S[min(int(one["tries"]), len(PAUSES_S)) - 1]
            if now - since + pause > float(self.settings.notify_receipt_s):
                last = int(one["channel"]) + 1 >= len(urls)
                fell.extend([True] if last and not one.get("fallen") else [])
                one["fallen"] = bool(one.get("fallen")) or last
                one["channel"] = 0 if last else int(one["channel"]) + 1
                one["since_s"], pause = now, pause if last else 0.0
                one["tries"] = int(one["tries"]) if one["fallen"] else 0
            one["next_s"] = now + pause
            return now - float(one["posted_s"]) > GIVE_UP_S

        self._settle(message.id, edit, float(entry["posted_s"]))
        if fell:
            self._fall(message)

    def _fall(self, message: Message) -> None:
        """No channel has taken it: the file, which the status names."""
        where = fallback.keep(self.home, message, self.now())
        self._record(message, where or "nowhere", None)

    def _digest(self) -> None:
        now, kept = time.gmtime(self.now()), self.outbox.look()
        if now.tm_hour < int(self.settings.notify_digest_hour) or not kept.get("digest"):
            return
        try:
            lines, missing = self.outbox.take_digest(time.strftime("%Y-%m-%d", now))
            if lines:
                self.outbox.post(digest(lines, missing, time.strftime("%Y-%m-%d", now)), self.now())
        except OSError as problem:
            self.trouble = f"the outbox cannot be written: {problem}"

    def _settle(self, one: str, edit: Callable[[dict[str, Any]], bool], posted_s: float | None = None) -> None:
        try:
            for entry in self.outbox.waiting():
                if entry["message"]["id"] == one and posted_s in (None, entry["posted_s"]):
                    self.outbox.settle(one, entry["posted_s"], edit)
        except OSError as problem:  # it stays in the outbox, and may be told twice
            self.trouble = f"the outbox cannot be written: {problem}"

    def _record(self, message: Message, channel: str, took_s: float | None) -> None:
        body: dict[str, Any] = {
            "phase": "done", "action": HUMAN_ALERT, "run": "n-" + secrets.token_hex(4), "by": MONITOR,
            "target": {"channel": channel}, "fingerprint": message.fingerprint, "news": message.news,
            "at": stamp(int(self.now() * 1_000_000)), "outcome": "file" if took_s is None else "delivered",
        }  # fmt: skip
        if message.incident:
            body["incident"] = message.incident
        if took_s is not None:
            body["took_s"] = round(took_s, 3)
        self._unwritten = [*self._unwritten, body][-1000:]
        self._write_down()

    def _write_down(self) -> None:
        while self._unwritten:
            try:
                self.write(records.KIND, dict(self._unwritten[0]))
            except Exception as problem:  # the journal may be the very trouble that is told of; it is tried again
                self.trouble = records.said(problem)
                return
            del self._unwritten[0]


def digest(lines: list[str], missing: int, day: str) -> Message:
    """The daily digest of what can wait a day."""
    count, more = len(lines) + missing, [f"{missing} more are not shown"] if missing else []
    return Message(
        id=f"digest:{day}", fingerprint="digest", incident="", severity="P3", level=0, news=f"digest:{day}",
        happened=f"{count} minor trouble{'' if count == 1 else 's'} since the last digest",
        bad="P3, minor: look within the day",
        done=[*lines[-20:], *more], further="look at them", command="levaithan incident list --severity P3",
    )  # fmt: skip
