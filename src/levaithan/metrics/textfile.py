"""The figures as a file for node_exporter's textfile collector, replaced whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import write_to_textfile

from levaithan.errors import LevaithanError
from levaithan.metrics import exposition

if TYPE_CHECKING:
    from levaithan.metrics.tally import Tally


class TextfileUnwritable(LevaithanError):  # noqa: N818 - named for people, as all errors are
    """The metrics cannot be written to {path}: {reason}."""

    code = "textfile_unwritable"
    fix = "name a file that ends in .prom, in the folder of node_exporter's --collector.textfile.directory"


def write(tally: Tally, path: str) -> None:
    """Put all figures into the file at `path`, readable for everybody, since the exporter is another user. Raises
    TextfileUnwritable; what stood there before is then still there."""
    if not path.endswith(".prom"):
        raise TextfileUnwritable(path=path, reason="the exporter reads only names that end in .prom")
    target = Path(path)
    if not target.parent.is_dir():
        raise TextfileUnwritable(path=path, reason="its folder is not there")
    try:
        write_to_textfile(path, exposition.registry(tally))
        target.chmod(0o644)
    except OSError as error:
        raise TextfileUnwritable(path=path, reason=error.strerror or str(error)) from None
