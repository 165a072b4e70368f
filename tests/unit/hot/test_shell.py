"""What a command line really runs."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levaithan.hot.shell import MAX_LINE, split


def runs(line: str, **more: object) -> list[list[str]]:
    """The words of each simple command."""
    return [made.words for made in split(line, "/home/dev/demo", "/home/dev", **more).commands if made.words]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a b c", [["a", "b", "c"]]),
        ("a 'b c' \"d e\" f\\ g", [["a", "b c", "d e", "f g"]]),
        ("a;b&&c||d|e&f\ng", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"], ["g"]]),
        ("a |& b", [["a"], ["b"]]),
        ("(a; b)", [["a"], ["b"]]),
        ("{ a; b; }", [["a"], ["b"]]),
        ("! a", [["a"]]),
        ("if a; then b; elif c; then d; else e; fi", [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ("while a; do b; done", [["a"], ["b"]]),
        ("f() { a b; }", [["f"], ["a", "b"]]),
        ("a # b; c", [["a"]]),
        ("a#b c", [["a#b", "c"]]),
        ("a \\\n b", [["a", "b"]]),
        ("'' a", [["", "a"]]),
        ("a $'\\x62\\143\\n'", [["a", "bc\n"]]),
        ("r\\m 'x'y\"z\"", [["rm", "xyz"]]),
        ("echo {a,b}c", [["echo", "ac", "bc"]]),
        ("echo ~ ~/x", [["echo", "/home/dev", "/home/dev/x"]]),
        ("echo '~' '$HOME' \"$HOME\"", [["echo", "~", "$HOME", "/home/dev"]]),
        ("X=/a; echo $X/b ${X}c '$X'", [["echo", "/a/b", "/ac", "$X"]]),
        ("X='a b'; echo $X \"$X\"", [["echo", "a", "b", "a b"]]),
        ("rm${IFS}-rf${IFS}x", [["rm", "-rf", "x"]]),
        ("echo ${Y:-z}", [["echo", "z"]]),
        ("A=1 B=2 env C=3 d", [["env", "C=3", "d"], ["d"]]),
        ("a $(b c) d", [["b", "c"], ["a", "\x00", "d"]]),
        ("a `b \\`c\\``", [["c"], ["b", "\x00"], ["a", "\x00"]]),
        ('a "$(b "c d")"', [["b", "c d"], ["a", "\x00"]]),
        ("$(echo rm) x", [["echo", "rm"], ["rm", "x"]]),
        ("cat <(a) >(b)", [["a"], ["b"], ["cat", "\x00", "\x00"]]),
        ("[[ a > b ]] && c", [["c"]]),
        ("((1 > 2)) || c", [["c"]]),
        ("x=(a b); c", [["c"]]),
        ("case $x in a) b;; *) c;; esac", [["case", "\x00", "in", "a"], ["b"], ["*"], ["c"]]),
        ("a <<E\nb $c\nE\nd", [["a"], ["d"]]),
        ("a <<-E\n\tb\n\tE\nd", [["a"], ["d"]]),
        ("a <<'E'\n$(b)\nE", [["a"]]),
        ("a <<E\n$(b)\nE", [["a"], ["b"]]),
        ("a <<E && c\nit's\nE\nd", [["a"], ["c"], ["d"]]),
        ("a <<E <<F\n1\nE\n2\nF\nb", [["a"], ["b"]]),
        ("a <<E\nnever closed", [["a"]]),
        ("bash <<E\nb c\nE", [["bash"], ["b", "c"]]),
        ("cat <<E | bash\nb\nE", [["cat"], ["bash"], ["b"]]),
        ("cat <<E | tee f | sh\nb\nE", [["cat"], ["tee", "f"], ["sh"], ["b"]]),
        ("bash <<< 'b c'", [["bash"], ["b", "c"]]),
        ("echo 'b c' | sh", [["echo", "b c"], ["sh"], ["b", "c"]]),
        ("printf '%s' b | sh -s", [["printf", "%s", "b"], ["sh", "-s"], ["b"]]),
        ("bash -c 'a b' x", [["bash", "-c", "a b", "x"], ["a", "b"]]),
        ("bash -lc 'a $0' x", [["bash", "-lc", "a $0", "x"], ["a", "x"]]),
        ("sh script.sh <<< a", [["sh", "script.sh"]]),
        ("eval a 'b c'", [["eval", "a", "b c"], ["a", "b", "c"]]),
        ("trap 'a b' EXIT", [["trap", "a b", "EXIT"], ["a", "b"]]),
        ("su -c 'a b' root", [["su", "-c", "a b", "root"], ["a", "b"]]),
        ("env -S 'a b' c", [["env", "-S", "a b", "c"], ["a", "b", "c"]]),
        ("watch -n 1 'a b'", [["watch", "-n", "1", "a b"], ["a", "b"]]),
        ("xargs -I{} a {} <<< b", [["xargs", "-I{}", "a", "{}"], ["a", "b"]]),
        ("ls | xargs -n 1 a", [["ls"], ["xargs", "-n", "1", "a"], ["a", "\x00"]]),
        (
            "find . -name x -exec a {} b \\;",
            [["find", ".", "-name", "x", "-exec", "a", "{}", "b", ";"], ["a", "./x", "b"]],
        ),
    ],
)
def test_commands(line, words):
    assert runs(line) == words


@pytest.mark.parametrize(
    "prefix",
    [
        "sudo",
        "sudo -u root -E",
        "doas",
        "env",
        "env -i A=b",
        "nohup",
        "timeout 5",
        "timeout -k 1 -s KILL 5",
        "command",
        "exec",
        "exec -a x",
        "builtin",
        "time",
        "nice",
        "nice -n 5",
        "nice -5",
        "ionice -c 3",
        "setsid",
        "stdbuf -oL",
        "busybox",
        "A=b C=d",
        "sudo timeout 5 nice env X=y",
        "if true; then",
        "! ",
        "chroot /x",
        "flock /tmp/l",
        "strace -f -o out",
    ],
)
def test_what_a_prefix_runs(prefix):
    assert runs(f"{prefix} rm -rf x")[-1] == ["rm", "-rf", "x"]


@pytest.mark.parametrize(
    ("line", "redirects"),
    [
        ("a > f", [(">", "f")]),
        ("a 2>&1 >f", [(">", "f")]),
        ("a >>f 2>/dev/null", [(">>", "f"), (">", "/dev/null")]),
        ("a &> f", [("&>", "f")]),
        ("a >| f < g", [(">|", "f"), ("<", "g")]),
        ("a 2> e", [(">", "e")]),
        ("> f", [(">", "f")]),
        ("a >'f g'", [(">", "f g")]),
        ("a '>' f", []),
        ("echo 2 > f", [(">", "f")]),
        ("a >&2", []),
    ],
)
def test_redirections(line, redirects):
    made = split(line).commands[0]
    assert made.redirects == redirects


def test_a_number_that_is_a_word_stays_one():
    assert runs("echo 2 >f") == [["echo", "2"]]


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("x", "/home/dev/demo"),
        ("cd / && x", "/"),
        ("cd a/b; x", "/home/dev/demo/a/b"),
        ("cd ..; cd ..; x", "/home"),
        ("cd; x", "/home/dev"),
        ("cd ~ && x", "/home/dev"),
        ("(cd /; y); x", "/home/dev/demo"),
        ("cd $UNKNOWN; x", None),
        ("cd -; x", None),
        ("pushd /tmp; x", "/tmp"),
        ("echo $(cd /); x", "/home/dev/demo"),
        ("D=/etc; cd $D; x", "/etc"),
        ("cd $PROJECT; x", "/p"),
    ],
)
def test_the_folder_follows_cd(line, folder):
    assert split(line, "/home/dev/demo", "/home/dev", {"PROJECT": "/p"}).commands[-1].cwd == folder


@pytest.mark.parametrize(
    "line", ["echo 'a", 'echo "a', "echo $(a", "(a", "a " * 140_000, "eval " * 40 + "a", "a;" * 3000]
)
def test_unsure_is_said(line):
    assert split(line).unsure


@pytest.mark.parametrize(
    "line", ["", " ", "a", "# it's", "a <<E\nit's (\nE", "echo 'a\nb'", "a;;", "echo \"it's\" # don't"]
)
def test_ordinary_lines_are_sure(line):
    assert split(line).unsure is None


def test_bash_c_in_bash_c_is_seen_and_ends():
    line = "rm x"
    for _ in range(5):
        line = "bash -c " + "'" + line.replace("'", "'\\''") + "'"
    assert runs(line)[-1] == ["rm", "x"]


_PIECES = st.sampled_from(
    [
        *"'\"\\$`(){}<>|&;#~*= \n\t",
        "$(",
        "${",
        "<<E",
        "\nE\n",
        "<<<",
        "bash -c ",
        "eval ",
        "rm -rf /",
        "a",
        "X=",
        "$X",
        "[[",
        "((",
        "xargs ",
        "\x00",
        "é",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES, max_size=40))
def test_never_raises(pieces):
    result = split("".join(pieces), "/home/dev/demo", "/home/dev")
    for made in result.commands:
        assert all(isinstance(word, str) for word in made.words)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(["rm", "-rf", "/", "a b", "'", '"', "$HOME", "x;y", "\\", "#"]), min_size=1, max_size=6)
)
def test_what_follows_bash_c_is_read_like_the_bare_command(words):
    import shlex

    line = "x " + " ".join(shlex.quote(word) for word in words)
    assert runs("bash -c " + shlex.quote(line))[1:] == runs(line)


@pytest.mark.parametrize(
    "piece", ["(", "$(", "`", "'", '"', "{a,b}", "a;", "${", "<<E\n", "$((", "\\", "a|", "x=$x$x "]
)
def test_time_stays_small_on_hostile_lines(piece):
    begin = time.perf_counter()
    split((piece * MAX_LINE)[:MAX_LINE])
    assert time.perf_counter() - begin < 8
