"""The rules of the house that a machine can see: who imports whom, what domain code may not touch."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from runtime.database import Database
from runtime.records.schema import metadata

ROOT = Path(__file__).resolve().parent.parent.parent
DOMAIN = ("insights", "campaigns", "members", "scenes", "positioning", "fingerprints", "venues")
PACKAGES = ("runtime", "sim", "api", "flow", *DOMAIN, "kernel")


def sources(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_imports_go_down_the_list_and_no_wall_is_crossed() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_domain_code_touches_no_file_socket_clock_or_environment() -> None:
    banned = {
        "os",
        "socket",
        "asyncio",
        "time",
        "logging",
        "pathlib.Path",
        "random",
        "subprocess",
        "threading",
        "requests",
    }
    wrong = [
        f"{path}: {name}"
        for path, tree in sources(*DOMAIN, "flow", "kernel")
        for name in imported(tree)
        if name in banned
    ]
    assert wrong == []


def test_only_the_command_line_and_its_helpers_import_the_simulator() -> None:
    users = {
        str(path)
        for path, tree in sources("runtime", "api", "flow", *DOMAIN)
        if any(name == "sim" or name.startswith("sim.") for name in imported(tree))
    }
    assert users <= {
        "runtime/cli/serve.py",
        "runtime/cli/sim.py",
        "runtime/cli/sim_runs.py",
        "runtime/ranker_malls.py",
        "runtime/sim_files.py",
        "runtime/sim_server.py",
        "runtime/warm.py",
    }


def test_the_serving_path_loads_no_training_library() -> None:
    code = (
        "import sys, runtime.wiring, runtime.server, positioning.light, positioning.full, positioning.bundle;"
        "import runtime.cli, runtime.models;"
        "print([m for m in ('lightgbm', 'sklearn', 'pandas', 'ibis') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_unpickled_or_evaluated() -> None:
    pattern = re.compile(r"\beval\(|\bexec\(|shell=True|allow_pickle=True")
    wrong = [
        str(path)
        for path, tree in sources(*PACKAGES)
        if imported(tree) & {"pickle", "marshal", "shelve"} or pattern.search((ROOT / path).read_text())
    ]
    assert wrong == []


def test_every_file_says_which_room_it_is() -> None:
    wrong = [str(path) for path, tree in sources(*PACKAGES) if not ast.get_docstring(tree) and tree.body]
    assert [path for path in wrong if "migrations/versions" not in path] == []


def test_the_newest_migration_makes_the_schema(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    database.upgrade()
    database.upgrade()
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_every_table_carries_its_tenant() -> None:
    assert [
        table.name for table in metadata.sorted_tables if table.name != "tenants" and "tenant_id" not in table.c
    ] == []


@pytest.mark.parametrize("name", ["uv.lock", "requirements.lock"])
def test_lock_files_name_no_host_but_the_public_index(name: str) -> None:
    hosts = set(re.findall(r"https?://([^/\s\"]+)", (ROOT / name).read_text()))
    assert hosts <= {"pypi.org", "files.pythonhosted.org"}
