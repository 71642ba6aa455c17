"""The notebooks: kept without outputs, without figures in their prose, and they run as they stand."""

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
_MEASURED = re.compile(r"\d+\.\d|\d\s*%|\bpercent of\b|\d\s*(?:m|dB|dBm|metres)\b")
"""What a figure looks like: a decimal, a share, a length or power. Prose may say 95 in 100: that is a definition."""


def read(path: Path) -> Any:
    notebook: Any = nbformat.read(path, as_version=nbformat.NO_CONVERT)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    return notebook


def named(path: Path) -> str:
    return path.stem


def test_there_are_notebooks_and_the_list_of_them_is_whole() -> None:
    listed = re.findall(r"\]\(([\w-]+\.ipynb)\)", (ROOT / "notebooks" / "README.md").read_text())
    assert [path.name for path in NOTEBOOKS] == sorted(listed)
    assert len(NOTEBOOKS) >= 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    for cell in read(path).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        assert set(cell.metadata) <= {"tags"}
        assert "attachments" not in cell


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_prose_states_no_figure_that_the_notebook_does_not_compute(path: Path) -> None:
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`", "", cell.source, flags=re.DOTALL)
            assert not _MEASURED.search(prose), _MEASURED.search(prose)


@pytest.mark.parametrize("text", ["right in 87.3 of 100", "it scores 91 %", "errs by 5 m", "an offset of 4 dB"])
def test_a_figure_in_prose_is_seen(text: str) -> None:
    assert _MEASURED.search(text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_runs_without_an_error_or_a_warning(path: Path, tmp_path: Path) -> None:
    done = run(path, tmp_path, {})
    pictures = sum("image/png" in output.get("data", {}) for cell in done.cells for output in cell.get("outputs", ()))
    assert pictures >= 3


def test_without_the_public_data_the_notebook_says_that_its_figures_are_simulated(tmp_path: Path) -> None:
    path = ROOT / "notebooks" / "04-bring-your-own-data.ipynb"
    done = run(path, tmp_path, {"ATRIUM_SHARED": str(tmp_path / "nothing")})
    said = [
        output["data"]["text/markdown"]
        for cell in done.cells
        for output in cell.get("outputs", ())
        if "text/markdown" in output.get("data", {})
    ]
    assert f"**UJIIndoorLoc is not at {tmp_path / 'nothing' / 'data' / 'ujiindoorloc'}**" in said[0]
    assert "**simulated** scans" in said[0]


def run(path: Path, folder: Path, settings: dict[str, str]) -> Any:
    """Run a copy in a kernel of its own, as short as it can be; what it prints on standard error fails."""
    notebook = read(path)
    environment = {
        **os.environ,
        "ATRIUM_NOTEBOOK_SHORT": "1",
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "TMPDIR": str(folder),
        **settings,
    }
    environment.pop("ATRIUM_NOTEBOOK_DATA", None)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}})
    client.execute(env=environment)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            assert output.get("name") != "stderr", output["text"]
    return notebook
