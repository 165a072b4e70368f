"""The hook client in Python, for where no compiler made the native one: `python -I -S client.py EVENT --home H`.

Only a launcher, and a short one: a script's own text is compiled at every start. The work is in ask.py, which is loaded
by its path (the package machinery alone costs as much again). Standard library only.
"""

import sys

if __name__ == "__main__":
    try:
        from _frozen_importlib_external import SourceFileLoader  # importlib.machinery has it too, a millisecond later

        name, path = "levaithan.hot.ask", __file__[:-9] + "ask.py"
        space = {"__name__": name, "__file__": path}
        exec(SourceFileLoader(name, path).get_code(name), space)  # type: ignore[arg-type]  # noqa: S102
        space["main"](sys.argv)  # type: ignore[operator]
    except BaseException as error:  # whatever it is, it must not end in exit 1: that lets the tool run
        import os

        event = sys.argv[1] if len(sys.argv) > 1 else ""
        code = 2 if event in ("", "PreToolUse", "PermissionRequest", "UserPromptSubmit", "ConfigChange") else 0
        try:
            sys.path.insert(0, __file__.rpartition("/levaithan/hot/")[0])
            from levaithan.hot.oneshot import refuse

            code = refuse(event, error)
        finally:
            os._exit(code)
