"""The gate in one process, when no service answers: `python -I -S oneshot.py EVENT --home H ... < event.json`.

Only a launcher: a script's own text is compiled at every start, a module's is not, so the work is in shot.py. What it
does hold is the end of the road, for when even the import fails. Standard library only.
"""

import sys


def refuse(event: str, error: BaseException) -> int:
    """The fail direction in plain bytes, with nothing but the interpreter to rely on."""
    import os

    if event and event not in ("PreToolUse", "PermissionRequest", "UserPromptSubmit", "ConfigChange"):
        return 0
    why = f"LevAIthan refuses this {event}: its own code could not be loaded ({type(error).__name__}). "
    why += "Next step, in a terminal: run `./setup.sh` again, then `levaithan doctor`"
    if event == "PermissionRequest":  # ignores exit 2
        answer = '{"hookSpecificOutput":{"hookEventName":"%s","decision":{"behavior":"deny","message":"%s"}}}\n'
        os.write(1, (answer % (event, why)).encode())
        return 0
    os.write(2, (why + "\n").encode())
    return 2


def _run() -> None:
    """Become shot.main(); exit only with 0 or 2, whatever happens."""
    event = sys.argv[1] if len(sys.argv) > 1 else ""
    code = 2
    try:
        sys.path.append(__file__.rpartition("/levaithan/hot/")[0])
        from levaithan.hot.shot import main

        code = main(sys.argv[1:])
    except BaseException as error:  # a broken installation must not let a guarded call pass
        code = refuse(event, error)
    finally:
        import os

        os._exit(code)


if __name__ == "__main__":
    _run()
