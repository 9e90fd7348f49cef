#!/usr/bin/env python3
"""What the vendor's Python SDK says of the operations that built-in definitions use outside the analytics endpoints.

Writes genesys_other_swagger_subset.json beside itself, in the shape of a swagger document: the operations below, with every model
that a body or an answer of theirs can hold. Needs the SDK that tests/simulator/vendor_sdk/requirements.txt pins; its files are
read as text, none of its code is run. `tests/simulator/vendor_sdk/run --extract` calls it with that SDK; its tests compare what
is kept with what it says. That the operations are those of the definitions, no fewer and no more, is held by
tests/unit/config/built_in_streams_test.cpp.
"""

import ast
import importlib.metadata
import importlib.util
import json
import pathlib
import re
import sys

KEPT = pathlib.Path(__file__).with_name("genesys_other_swagger_subset.json")
PACKAGE = "PureCloudPlatformClientV2"

OPERATIONS = (
    ("post", "/api/v2/audits/query"),
    ("post", "/api/v2/audits/query/realtime"),
    ("get", "/api/v2/audits/query/{transactionId}"),
    ("get", "/api/v2/audits/query/{transactionId}/results"),
    ("get", "/api/v2/authorization/divisions"),
    ("get", "/api/v2/flows"),
    ("get", "/api/v2/flows/milestones"),
    ("get", "/api/v2/flows/outcomes"),
    ("get", "/api/v2/groups"),
    ("get", "/api/v2/knowledge/knowledgebases"),
    ("get", "/api/v2/outbound/campaigns/all"),
    ("get", "/api/v2/outbound/contactlists"),
    ("get", "/api/v2/presence/definitions"),
    ("get", "/api/v2/quality/publishedforms/evaluations"),
    ("get", "/api/v2/quality/publishedforms/surveys"),
    ("get", "/api/v2/routing/languages"),
    ("get", "/api/v2/routing/queues"),
    ("get", "/api/v2/routing/skillgroups"),
    ("get", "/api/v2/routing/skills"),
    ("get", "/api/v2/routing/utilization/labels"),
    ("get", "/api/v2/routing/wrapupcodes"),
    ("get", "/api/v2/scripts"),
    ("get", "/api/v2/teams"),
    ("get", "/api/v2/users"),
)

SIMPLE = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "object": {"type": "object"},
}


def schema_of(type_name):
    """`list[Queue]`, as the SDK spells a type, as a schema."""
    listed = re.fullmatch(r"list\[(.+)\]", type_name)
    mapped = re.fullmatch(r"dict\(str, (.+)\)", type_name)
    if listed:
        return {"type": "array", "items": schema_of(listed.group(1))}
    if mapped:
        return {"type": "object", "additionalProperties": schema_of(mapped.group(1))}
    return dict(SIMPLE[type_name]) if type_name in SIMPLE else {"$ref": "#/definitions/" + type_name}


def models_in(schema):
    """The names of the models that a schema refers to."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for inner in schema.values():
            yield from models_in(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from models_in(inner)


def assigned(node):
    """(target, value) of every plain assignment below a node."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assign) and len(inner.targets) == 1:
            yield inner.targets[0], inner.value


class Sdk:
    def __init__(self):
        self.folder = pathlib.Path(importlib.util.find_spec(PACKAGE).submodule_search_locations[0])
        self.version = importlib.metadata.version(PACKAGE)
        self.licence = importlib.metadata.metadata(PACKAGE)["License-Expression"]
        self.apis = {file: file.read_text() for file in sorted((self.folder / "apis").glob("*_api.py"))}
        self.model_files = dict(
            (name, file) for file, name in re.findall(r"^from \.models\.(\w+) import (\w+)$", (self.folder / "__init__.py").read_text(), re.M))

    def model(self, name):
        tree = ast.parse((self.folder / "models" / (self.model_files[name] + ".py")).read_text())
        types, spelled, choices = {}, {}, {}
        for target, value in assigned(tree):
            if isinstance(target, ast.Attribute) and target.attr == "swagger_types":
                types = ast.literal_eval(value)
            elif isinstance(target, ast.Attribute) and target.attr == "attribute_map":
                spelled = ast.literal_eval(value)
        for function in ast.walk(tree):
            # Getter and setter have one name; the setter knows what the service allows.
            if isinstance(function, ast.FunctionDef) and function.name in types:
                for target, value in assigned(function):
                    if isinstance(target, ast.Name) and target.id == "allowed_values":
                        choices[function.name] = ast.literal_eval(value)
        properties = {}
        for attribute, type_name in types.items():
            schema = schema_of(type_name)
            if attribute in choices:
                (schema["items"] if "items" in schema else schema)["enum"] = choices[attribute]
            properties[spelled[attribute]] = schema
        return {"type": "object", "properties": properties}

    def operation(self, method, path):
        found = []
        for text in self.apis.values():
            # A few operations stand in two classes.
            if f"'{path}'.replace(" in text:
                found += [operation for operation in map(self._read, self._functions(text, method, path)) if operation not in found]
        if len(found) != 1:
            raise LookupError(f"{len(found)} operations {method} {path} in {PACKAGE} {self.version}")
        if self._is_deprecated(found[0]):
            found[0]["deprecated"] = True
        return found[0]

    @staticmethod
    def _functions(text, method, path):
        # Parsing a class of a thousand operations takes seconds; its functions are cut out of the text first.
        for part in re.split(r"^    (?=def |@)", text, flags=re.M):
            if part.startswith("def ") and f"resource_path = '{path}'.replace(" in part and f"call_api(resource_path, '{method.upper()}'" in part:
                yield ast.parse(part).body[0]

    @staticmethod
    def _read(function):
        said = ast.get_docstring(function)
        described = {name: (type_name, text) for type_name, name, text in
                     re.findall(r"^:param (\S+|dict\(str, \S+\)) (\w+): (.*)$", said, re.M)}
        parameters, answer = [], None

        def add(where, name, variable):
            type_name, text = described[variable]
            parameter = {"name": name, "in": where}
            if where == "body":
                parameter["schema"] = schema_of(type_name)
            else:
                parameter |= schema_of(type_name)
                most = re.search(r"\bmax(?:imum)?\b[^.\d]*(\d+)", text, re.I)
                if most and name == "pageSize":
                    parameter["maximum"] = int(most.group(1))
            if text.endswith("(required)"):
                parameter["required"] = True
            parameters.append(parameter)

        for target, value in assigned(function):
            if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                where = {"path_params": "path", "query_params": "query"}.get(target.value.id)
                if where:
                    add(where, target.slice.value, value.slice.value)
            elif isinstance(target, ast.Name) and target.id == "body_params" and isinstance(value, ast.Subscript):
                add("body", "body", value.slice.value)
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "call_api":
                answer = next(keyword.value.value for keyword in call.keywords if keyword.arg == "response_type")
        operation = {"operationId": function.name, "parameters": parameters, "responses": {"200": {"schema": schema_of(answer)} if answer else {}}}
        if "is a preview method" in said:
            operation["x-preview"] = True
        return operation

    def _is_deprecated(self, operation):
        return any(f'@deprecated("{operation["operationId"]} is deprecated")' in text for text in self.apis.values())


def extract():
    """The document, as text: an operation or a model a line, so that a newer SDK shows as a readable difference."""
    sdk = Sdk()
    paths, models = {}, {}
    for method, path in OPERATIONS:
        paths.setdefault(path, {})[method] = sdk.operation(method, path)
    left = sorted(set(models_in(paths)))
    while left:
        name = left.pop()
        if name not in models:
            models[name] = sdk.model(name)
            left += models_in(models[name])
    source = (f"Extracted by extract.py from {PACKAGE} {sdk.version} (licence {sdk.licence}, copyright Genesys Cloud Services, Inc.). "
              "The SDK names neither the permissions of an operation, nor which members of a model are required, nor the statuses of answers: "
              "each answer stands under 200.")
    lines = ["{", f' "x-source": {json.dumps(source)},', ' "swagger": "2.0",', ' "paths": {']
    lines += [f"  {json.dumps(path)}: {json.dumps(paths[path])}," for path in sorted(paths)]
    lines[-1] = lines[-1].rstrip(",")
    lines += [" },", ' "definitions": {']
    lines += [f"  {json.dumps(name)}: {json.dumps(models[name])}," for name in sorted(models)]
    lines[-1] = lines[-1].rstrip(",")
    lines += [" }", "}", ""]
    return "\n".join(lines)


def essence(schema):
    """What of a schema has to be the same in two releases."""
    if "allOf" in schema:
        return essence(schema["allOf"][0])
    if "$ref" in schema:
        return schema["$ref"]
    if "items" in schema:
        return [essence(schema["items"])]
    return schema.get("type"), essence(schema["additionalProperties"]) if "additionalProperties" in schema else None


def choices(schema):
    return set(map(str, schema.get("enum") or schema.get("items", {}).get("enum") or []))


def not_in_sdk(document):
    """What a document of this shape, of an older release, says and the SDK does not; what is only new there is no matter."""
    sdk, gone = Sdk(), []
    for path, methods in document["paths"].items():
        for method, kept in methods.items():
            try:
                there = sdk.operation(method, path)
            except LookupError as error:
                gone.append(str(error))
                continue
            known = {(parameter["in"], parameter["name"]) for parameter in there["parameters"]}
            gone += [f"{method} {path}: {where} parameter {name}" for where, name in
                     {(parameter["in"], parameter["name"]) for parameter in kept["parameters"]} - known]
            good = kept["responses"].get("200") or kept["responses"].get("202") or {}
            if "schema" in good and essence(good["schema"]) != essence(there["responses"]["200"].get("schema", {})):
                gone.append(f"{method} {path}: answer {essence(good['schema'])}")
            if kept.get("x-preview", False) != there.get("x-preview", False):
                gone.append(f"{method} {path}: preview {kept.get('x-preview', False)}")
            if there.get("deprecated", False) and not kept.get("deprecated", False):
                gone.append(f"{method} {path}: not deprecated")
    for name, kept in document["definitions"].items():
        if name not in sdk.model_files:
            gone.append(f"model {name}")
            continue
        properties = sdk.model(name)["properties"]
        for member, schema in kept["properties"].items():
            if member not in properties:
                gone.append(f"{name}.{member}")
            elif essence(schema) != essence(properties[member]):
                gone.append(f"{name}.{member}: {essence(schema)}, not {essence(properties[member])}")
            # The SDK does not know the values of lists.
            elif choices(properties[member]) and choices(schema) - choices(properties[member]):
                gone.append(f"{name}.{member}: values {choices(schema) - choices(properties[member])}")
    return gone


if __name__ == "__main__":
    KEPT.write_text(extract())
    print(f"extract: wrote {KEPT}", file=sys.stderr)
