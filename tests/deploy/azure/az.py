"""A stand-in for the Azure CLI: `az rest` against a small Microsoft Graph whose state is the file $AZ_STATE.

Each call is logged to $AZ_CALLS. Lists have one element per page. Errors have the texts of the CLI. `signed_out` in the
state makes every call fail, `refused` every write.
"""

import argparse
import json
import os
import re
import sys
import urllib.parse

import jmespath

GRAPH = os.environ.get("AZ_GRAPH", "https://graph.microsoft.com")


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("command", choices=["rest"])
    for option in ["--method", "--url", "--resource"]:
        parser.add_argument(option, required=True)
    parser.add_argument("--output", choices=["tsv"], required=True)
    parser.add_argument("--only-show-errors", action="store_true")
    parser.add_argument("--headers")
    parser.add_argument("--body")
    parser.add_argument("--query")
    asked = parser.parse_args()

    with open(os.environ["AZ_STATE"], encoding="utf-8") as file:
        state = json.load(file)
    with open(os.environ["AZ_CALLS"], "a", encoding="utf-8") as file:
        file.write(f"{asked.method} {asked.url}\n")
    if state.get("signed_out"):
        fail("Please run 'az login' to setup account.")
    if asked.resource != GRAPH or not asked.url.startswith(f"{GRAPH}/v1.0/"):
        fail(f"asked {asked.url} with a token for {asked.resource}")
    if asked.method != "GET" and state.get("refused"):
        fail('Forbidden({"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges"}})')
    if asked.body is not None and asked.headers != "Content-Type=application/json":
        fail("Unsupported Media Type")

    url = urllib.parse.urlsplit(asked.url)
    parts = url.path.removeprefix("/v1.0/").split("/")
    body = json.loads(asked.body) if asked.body else None
    answer = route(state, asked.method, parts, dict(urllib.parse.parse_qsl(url.query)), body)
    with open(os.environ["AZ_STATE"], "w", encoding="utf-8") as file:
        json.dump(state, file, indent=1)
    if answer is not None:
        show(jmespath.search(asked.query, answer) if asked.query else answer)


def route(state, method, parts, query, body):
    key = re.fullmatch(r"(\w+)\(appId='([^']+)'\)", parts[0])
    if key:
        found = next((each for each in state[key[1]].values() if each["appId"] == key[2]), None)
        parts = [key[1], found["id"] if found else key[2], *parts[1:]]
    collection, name, *more = parts
    if collection not in ("applications", "servicePrincipals"):
        fail(f"no such collection: {collection}")
    thing = state[collection].get(name)
    if thing is None:
        fail('Not Found({"error":{"code":"Request_ResourceNotFound","message":"Resource does not exist"}})')
    match method, more:
        case "GET", []:
            return {"@odata.context": "x", **thing}
        case "PATCH", []:
            if set(body) != {"tags"} or len(set(body["tags"])) != len(body["tags"]):
                fail("Bad Request(tags)")
            thing["tags"] = body["tags"]
        case "GET", ["owners" as list_name] | ["appRoleAssignments" as list_name]:
            return page(thing[list_name], parts, query)
        case "POST", ["owners", "$ref"]:
            owner = body["@odata.id"].removeprefix(f"{GRAPH}/v1.0/directoryObjects/")
            if owner not in state["servicePrincipals"] or {"id": owner} in thing["owners"]:
                fail("Bad Request(One or more added object references already exist)")
            thing["owners"].append({"id": owner})
        case "DELETE", ["owners", owner, "$ref"]:
            thing["owners"].remove({"id": owner})
        case "POST", ["appRoleAssignments"]:
            roles = state["servicePrincipals"][body["resourceId"]]["appRoles"]
            if body["principalId"] != name or body["appRoleId"] not in [role["id"] for role in roles]:
                fail("Bad Request(Permission being assigned was not found)")
            thing["appRoleAssignments"].append({"id": f"assignment-{body['appRoleId']}", **body})
        case "DELETE", ["appRoleAssignments", assignment]:
            left = [each for each in thing["appRoleAssignments"] if each["id"] != assignment]
            if len(left) == len(thing["appRoleAssignments"]):
                fail('Not Found({"error":{"code":"Request_ResourceNotFound"}})')
            thing["appRoleAssignments"] = left
        case _:
            fail(f"Bad Request: {method} {parts}")
    return None


def page(items, parts, query):
    at = int(query.get("$skiptoken", 0))
    answer = {"value": items[at : at + 1]}
    if at + 1 < len(items):
        answer["@odata.nextLink"] = f"{GRAPH}/v1.0/{'/'.join(parts)}?$skiptoken={at + 1}"
    return answer


def show(found):
    """Prints tab-separated values as the CLI does: one line per element, and `None` for null."""
    for each in found if isinstance(found, list) else [found]:
        print(each)


def fail(words):
    print(f"ERROR: {words}", file=sys.stderr)
    sys.exit(1)


main()
