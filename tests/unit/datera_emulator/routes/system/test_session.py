# SPDX-License-Identifier: Apache-2.0
"""Logging in, versions, and paths that lead nowhere."""

from __future__ import annotations

import json
from pathlib import Path

from datera_emulator.api.unserved import UNSERVED
from datera_emulator.application import Request
from tests.fixtures.datera.emulated_api import Api, MakeApi


def test_the_reply_of_a_login_is_bare(api: Api) -> None:
    status, body = api.ask("PUT", "/login", {"name": "admin", "password": "password"})
    assert status == 200
    assert set(body) == {"key", "version", "request_time"}


def test_a_wrong_password_is_refused_and_never_repeated(api: Api) -> None:
    status, body = api.ask("PUT", "/login", {"name": "admin", "password": "hunter_two"})
    assert status == 401
    assert body["name"] == "AuthFailedError"
    assert "hunter_two" not in json.dumps(body)
    status, body = api.ask("PUT", "/login", {"name": "admin", "password": "12 bad form"})
    assert status == 422
    assert "12 bad form" not in json.dumps(body)


def test_an_error_has_all_the_known_fields(api: Api) -> None:
    _, body = api.ask("GET", "/app_instances/nobody")
    assert set(body) == {
        "name", "code", "http", "message", "ts", "version", "op", "tenant", "path", "params",
        "connInfo", "client_id", "client_type", "api_req_id", "tenancy_class", "errors",
    }  # fmt: skip
    assert (body["name"], body["op"], body["version"]) == ("NotFoundError", "read", "v2.2")


def test_an_unknown_path_has_code_99_without_a_key_too(api: Api) -> None:
    api.key = ""
    status, body = api.ask("GET", "/")
    assert (status, body["code"], body["name"]) == (404, 99, "InvalidRouteError")
    assert api.refused("DELETE", "/system")[0] == 405


def test_paths_that_only_an_array_serves_are_refused_as_such(api: Api) -> None:
    page = (Path(__file__).parents[5] / "docs" / "emulator.md").read_text()
    missing = page[page.index("## What it does not do yet") :]
    for template in UNSERVED:
        path = template.replace(":", "some-id")
        for one in (path, f"{path}/below"):
            assert api.refused("GET", one) == (
                404,
                f"This emulator does not serve {one}; an array does",
            )
        assert f"`{template}`" in missing
    assert "Invalid route" in api.refused("GET", "/timeless")[1]


def test_only_codes_that_are_on_record_are_given(api: Api) -> None:
    made = api.create()
    snapshot = {"uuid": "0bb34f0c-fea4-48e0-bf96-591120ac7e3c"}
    api.good("POST", f"{api.volume(made)}/snapshots", snapshot)
    codes = {
        ask: api.ask(*ask, body)[1]["code"]
        for ask, body in {
            ("GET", "/nothing"): None,
            ("POST", f"{api.volume(made)}/snapshots"): snapshot,
            ("DELETE", made["path"]): {},
            ("DELETE", api.volume(made)): None,
            ("PUT", api.volume(made)): {"replica_count": 5},
            ("GET", "/app_instances/nobody"): None,
            ("POST", "/app_instances"): {"name": "one"},
            ("POST", "/tenants"): {"colour": "blue"},
            ("PUT", "/login"): {"name": "admin", "password": "wrong_one"},
        }.items()
    }
    assert list(codes.values()) == [99, 15, 0, 0, 0, 0, 0, 0, 0]


def test_versions_depend_on_the_product(make_api: MakeApi) -> None:
    versions = Request(method="GET", path="/api_versions")
    for product, served in {"3.2.1.0": ["v2.1", "v2.2"], "3.3.0": ["v2.1", "v2.2", "v2.3"]}.items():
        answer = make_api(product).raw(versions)
        assert (answer.status, answer.body) == (200, {"api_versions": served})
    old = make_api("2.2.7.1")
    assert old.raw(versions).status == 400
    old.version = "v2.2"
    assert old.refused("GET", "/system")[0] == 404


def test_a_body_that_is_not_json_or_has_unknown_keys_is_refused(api: Api) -> None:
    answer = api.raw(Request("POST", "/v2.2/tenants", headers={"auth-token": api.key}, body=b"{"))
    assert answer.status == 422
    status, message = api.refused("POST", "/tenants", {"name": "acme", "colour": "blue"})
    assert status == 422
    assert "colour" in message
    assert api.refused("POST", "/tenants", ["acme"])[0] == 422


def test_the_description_has_what_is_served_and_no_more(make_api: MakeApi) -> None:
    api = make_api("3.3.0.0")
    status, described = api.ask("GET", "/api")
    assert status == 200
    assert described["version"] == "v2.2"
    create = described["/app_instances"]["create"]
    assert create["bodyParamSchema"]["additionalProperties"] is False
    assert "/placement_policies" in described
    assert "force" in described["/initiators"]["create"]["bodyParamSchema"]["properties"]
    api.version = "v2.1"
    _, described = api.ask("GET", "/api")
    assert "/placement_policies" not in described
    assert "force" not in described["/initiators"]["create"]["bodyParamSchema"]["properties"]
    assert described["/metrics/io/:metric"]["read"]["urlParamSchema"]["metric"]["enum"]


def test_the_description_is_grouped_and_filtered_as_it_is_asked_for(api: Api) -> None:
    plain = api.ask("GET", "/api")[1]
    assert api.ask("GET", "/api", group_by="route")[1] == plain
    grouped = api.ask("GET", "/api", group_by="group")[1]
    assert (grouped["version"], grouped["request_time"]) == ("v2.2", 0)
    assert grouped["user_mgmt"]["/users/:user_id"] == plain["/users/:user_id"]
    assert "/users" not in grouped
    storage = "/app_instances/:id/storage_instances/:storage_instance_name"
    assert set(grouped["app_storage_ops"][storage]) == {"read", "delete"}
    assert set(grouped["app_storage_provisioning"][storage]) == {"update"}
    filtered = api.ask("GET", "/api", group_filter="session")[1]
    assert set(filtered) == {"/login", "/logout", "/userinfo", "version", "request_time"}
    both = api.ask("GET", "/api", group_by="group", group_filter="session")[1]
    assert set(both) == {"session", "version", "request_time"}
    assert api.refused("GET", "/api", group_by="colour")[0] == 422
    assert api.refused("GET", "/api", group_filter="colour")[0] == 422
