"""The hook client in Python, for where no compiler made the native one: `python -I -S client.py EVENT --home H`.

Only a launcher: a script's own text is compiled at every start, so the work is in ask.py, which is loaded here by its
path (the package machinery alone costs as much again). Standard library only.
"""

import sys


def _run() -> None:
    """Become ask.main(). When even that cannot be loaded, the one-shot's launcher says the fail direction."""
    path = __file__.rpartition("/")[0] + "/ask.py"
    try:
        from _frozen_importlib_external import SourceFileLoader
    except ImportError:
        from importlib.machinery import SourceFileLoader
    space = {"__name__": "levaithan.hot.ask", "__file__": path}
    exec(SourceFileLoader("levaithan.hot.ask", path).get_code("levaithan.hot.ask"), space)  # type: ignore[arg-type]  # noqa: S102
    space["main"](sys.argv)  # type: ignore[operator]


if __name__ == "__main__":
    try:
        _run()
    except BaseException as error:  # whatever it is, it must not end in exit 1: that lets the tool run
        import os

        event = sys.argv[1] if len(sys.argv) > 1 else ""
        code = 2 if event in ("", "PreToolUse", "PermissionRequest", "UserPromptSubmit", "ConfigChange") else 0
        try:
            sys.path.insert(0, __file__.rpartition("/levaithan/hot/")[0])
            from levaithan.hot.oneshot import _refuse

            code = _refuse(event, error)
        finally:
            os._exit(code)
