"""Every error class has its HTTP status; the API's description is honest; odd calls get problems."""

import importlib
import pkgutil
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.ports import Role
from api.problems import STATUS, problem_of, status_of
from kernel.errors import AtriumError
from tests.living_server import Living

PACKAGES = (
    "kernel",
    "venues",
    "fingerprints",
    "positioning",
    "scenes",
    "members",
    "campaigns",
    "flow",
    "api",
    "runtime",
)


def error_classes() -> set[type[AtriumError]]:
    for package in PACKAGES:
        for found in pkgutil.iter_modules([package]):
            if found.name == "errors":
                importlib.import_module(f"{package}.errors")
    found_classes: set[type[AtriumError]] = set()
    waiting: list[type[AtriumError]] = [AtriumError]
    while waiting:
        kind = waiting.pop()
        found_classes.add(kind)
        waiting += kind.__subclasses__()
    return found_classes


@pytest.mark.parametrize("kind", sorted(error_classes(), key=str), ids=lambda kind: kind.__name__)
def test_each_error_has_a_status_and_a_code(kind: type[AtriumError]) -> None:
    status = next(STATUS[base] for base in kind.__mro__ if base in STATUS)
    assert 400 <= status < 600
    assert kind is AtriumError or kind.code != "error"
    assert kind.__doc__


def test_a_problem_carries_code_status_and_field() -> None:
    from fingerprints.errors import ScanFormatError

    error = ScanFormatError("Expected `int`", "wifi[0].rssi_dbm")
    assert status_of(error) == 422
    assert problem_of(error)["field"] == "wifi[0].rssi_dbm"


def test_unknown_paths_and_methods_are_problems(living_module: Living) -> None:
    with living_module.client() as http:
        nowhere, wrong = http.get("/v2/x"), http.delete("/v1/scans")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"]
    assert nowhere.headers["content-type"] == "application/problem+json"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_description_holds_under_generated_calls(living_module: Living) -> None:
    """Schemathesis, a bounded number of calls: no 500, and only statuses and types that are described."""
    schema = schemathesis.openapi.from_url(f"{living_module.url}/openapi.json")
    headers = {"Authorization": f"Bearer {living_module.keys[Role.ADMIN]}"}
    n_calls = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        strategy = result.ok().as_strategy()

        @settings(
            max_examples=15,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def call(case: schemathesis.Case[Any]) -> None:
            nonlocal n_calls
            response = case.call(headers=headers)
            n_calls += 1
            assert response.status_code < 500, response.text
            try:
                case.validate_response(
                    response,
                    checks=[
                        not_a_server_error,
                        status_code_conformance,
                        content_type_conformance,
                        response_schema_conformance,
                    ],
                )
            except FailureGroup as group:
                raise AssertionError(f"{case.method} {case.path}: {group.exceptions}") from group

        call()
    assert n_calls > 100
