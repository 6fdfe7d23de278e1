"""The console's calls as an OpenAPI 3.1 document, written from the same table that routes them; the pages' types are generated from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hsadmin import __version__
from hsadmin.console.endpoint import JSON, Endpoint, Guard, endpoint
from hsadmin.console.neighbours import Neighbours
from hsadmin.console.problem import MEDIA, Described

REFERENCE = "#/components/schemas/{name}"


def described(table: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """The table, and one call more that answers with the document of them all."""

    @endpoint("GET", "/admin/api/openapi.json", name="openapi.read", guard=Guard.OPEN, summary="This document")
    async def read(near: Neighbours) -> msgspec.Raw:
        return body

    whole = (*table, read)
    body = msgspec.Raw(msgspec.json.encode(document(whole)))
    return whole


def document(table: Sequence[Endpoint]) -> dict[str, Any]:
    types = [kind for each in table for kind in (each.input, each.output) if _has_schema(kind)]
    schemas, components = msgspec.json.schema_components([*types, Described], ref_template=REFERENCE)
    found = dict(zip(map(str, types), schemas, strict=False))
    paths: dict[str, dict[str, Any]] = {}
    for each in table:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, found, schemas[-1])
    return {"openapi": "3.1.0", "info": {"title": "hsadmin", "version": __version__}, "paths": paths, "components": {"schemas": components}}


def _operation(each: Endpoint, found: Mapping[str, Any], problem: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": each.name,
        "tags": [each.name.partition(".")[0]],
        "summary": each.summary,
        "x-guard": each.guard.value,
        "responses": {
            **_success(each, found),
            "default": {"description": "A refusal", "content": {MEDIA: {"schema": problem}}},
        },
    }
    if each.input is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": found[str(each.input)]}}}
    if each.parameters:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": msgspec.json.schema(each.parameters[name])}
            for name in re.findall(r"\{(\w+)\}", each.path)
        ]
    return operation


def _success(each: Endpoint, found: Mapping[str, Any]) -> dict[str, Any]:
    if each.output is type(None):
        return {"204": {"description": "Done"}}
    if each.media != JSON:
        return {"200": {"description": each.summary, "content": {each.media: {}}}}
    return {"200": {"description": each.summary, "content": {JSON: {"schema": found.get(str(each.output), {})}}}}


def _has_schema(kind: Any) -> bool:
    return kind not in {None, type(None), bytes, msgspec.Raw}
