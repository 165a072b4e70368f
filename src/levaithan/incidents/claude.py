"""Asks the Claude API for a draft, through its official SDK: the one file that imports it, and only when it is asked.

Whatever goes wrong is one of a few reasons in words (DraftFailed); the caller goes on with what this machine can write
alone. Nothing here reads or changes an incident. May be imported by the command line only.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from levaithan.errors import LevaithanError
from levaithan.hot.usage import Call
from levaithan.incidents.draft import Draft

if TYPE_CHECKING:
    from anthropic import Anthropic
    from anthropic.types import Message, Usage

    from levaithan.hot.prices import Prices

ADDRESS = "https://api.anthropic.com"
RETRIES = 2
LONGEST_REPLY = 200_000
BYTES_A_TOKEN = 2
"""Fewer than any text of ours has: an estimate that is never too small."""


class DraftFailed(LevaithanError):  # noqa: N818 - named for people
    """The Claude API wrote no draft: {reason}."""

    code = "draft_failed"
    fix = "the draft of this machine stands in its place; try again later, or look at `levaithan config show --origin`"

    charged = False
    """Whether it may have cost something all the same."""


@dataclass
class Reply:
    """A draft and what it took: tokens by kind, and nano-USD (None where the model has no price)."""

    draft: Draft
    model: str
    usage: Call
    nano_usd: int | None


def ask(body: dict[str, Any], key: str, *, url: str = "", timeout_s: float = 60.0, prices: Prices) -> Reply:
    """The draft that the model wrote for `body`. timeout_s: for everything, repeats included. Raises DraftFailed."""
    try:
        import anthropic  # noqa: PLC0415 - two seconds to load, and an extra
    except ModuleNotFoundError as problem:
        why = f"the package {problem.name} is not installed; install it: pip install 'levaithan[claude]'"
        raise DraftFailed(reason=why) from None
    client = anthropic.Anthropic(api_key=key, base_url=url or ADDRESS, timeout=timeout_s, max_retries=RETRIES)
    message = _in_time(client, body, timeout_s)
    usage = _call(message.model, message.usage)
    try:
        return Reply(_draft(message), message.model, usage, prices.price(usage))
    except DraftFailed as problem:
        problem.charged = True
        raise


def _in_time(client: Anthropic, body: dict[str, Any], timeout_s: float) -> Message:
    """The whole message, or DraftFailed when it takes longer: a stream that drips would never time out by itself."""
    found: list[Message] = []
    wrong: list[DraftFailed] = []

    def work() -> None:
        try:
            found.append(_streamed(client, body))
        except DraftFailed as problem:
            wrong.append(problem)

    thread = threading.Thread(target=work, name="claude-draft", daemon=True)
    thread.start()
    thread.join(timeout_s)
    late = thread.is_alive()
    client.close()
    if found:
        return found[0]
    if wrong:
        raise wrong[0]
    failed = DraftFailed(reason=f"no whole answer within {timeout_s:g} s" if late else "it ended without an answer")
    failed.charged = True
    raise failed


def _streamed(client: Anthropic, body: dict[str, Any]) -> Message:
    import anthropic  # noqa: PLC0415

    begun = False
    try:
        with client.messages.stream(**{name: value for name, value in body.items() if name != "stream"}) as stream:
            begun, size = True, 0
            for event in stream:
                size += len(getattr(event, "text", "") or "") if event.type == "text" else 0
                if size > LONGEST_REPLY:
                    raise _failed("the answer is longer than any draft", charged=True)
            message = stream.get_final_message()
    except anthropic.APIStatusError as problem:
        raise _failed(f"it answered {problem.status_code} ({_kind(problem)})", charged=begun) from None
    except anthropic.APITimeoutError:
        raise _failed("it did not answer in time", charged=True) from None
    except anthropic.AnthropicError as problem:
        raise _failed(f"{type(problem).__name__}: the connection failed", charged=begun) from None
    except DraftFailed:
        raise
    except Exception as problem:  # a stream that breaks off raises what its HTTP library raises, or a JSON error
        raise _failed(f"the answer broke off ({type(problem).__name__})", charged=True) from None
    if message.stop_reason is None:
        raise _failed("the answer broke off", charged=True)
    return message


def _failed(reason: str, *, charged: bool) -> DraftFailed:
    problem = DraftFailed(reason=reason)
    problem.charged = charged
    return problem


def _kind(problem: Any) -> str:
    """The error's type as the API names it; never its text, which may repeat what was sent."""
    told = problem.body
    error = told.get("error") if isinstance(told, dict) else None
    kind = error.get("type") if isinstance(error, dict) else None
    return kind if isinstance(kind, str) and kind.isascii() and len(kind) < 64 else type(problem).__name__


def _draft(message: Message) -> Draft:
    if message.stop_reason == "refusal":
        raise DraftFailed(reason="the model declined to write it")
    if message.stop_reason != "end_turn":
        raise DraftFailed(reason=f"the answer was cut off ({message.stop_reason})")
    text = "".join(block.text for block in message.content if block.type == "text")
    try:
        return Draft.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:100]
        raise DraftFailed(reason=f"the answer is no draft ({where or 'the whole'}: {first['type']})") from None


def _call(model: str, usage: Usage) -> Call:
    """What the answer took, as prices count it."""
    written = usage.cache_creation_input_tokens or 0
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    return Call(
        "", model, time=now, input=usage.input_tokens, output=usage.output_tokens,
        cache_read=usage.cache_read_input_tokens or 0, cache_write_5m=written,
    )  # fmt: skip


def estimate(body: dict[str, Any], size: int, prices: Prices) -> int | None:
    """The most that `body` (of `size` bytes) can cost, in nano-USD; None where its model has no price."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    tokens = size // BYTES_A_TOKEN
    return prices.price(Call("", body["model"], time=now, cache_write_5m=tokens, output=body["max_tokens"]))
