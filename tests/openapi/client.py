"""Drives a daemon with the client that openapi-python-client has generated from the daemon's own description.

Usage: client.py DESCRIPTION CLIENT ADDRESS TOKEN_FILE. Prints the number of checks that passed.
"""

import json
import pathlib
import sys
import time
import uuid

description, generated, address, token_file = sys.argv[1:]
sys.path.insert(0, generated)

from rekeyd_client import AuthenticatedClient, models
from rekeyd_client.api.commands import rotate
from rekeyd_client.api.operations import list_operations, show_operation
from rekeyd_client.api.secrets import list_secrets, show_secret

PATIENCE = 120
OVER = {models.OperationState.COMPLETED, models.OperationState.REJECTED, models.OperationState.REPLACED}


def every_route_is_generated(_):
    paths = json.loads(pathlib.Path(description).read_text())["paths"].values()
    described = {operation["operationId"] for path in paths for operation in path.values()}
    modules = pathlib.Path(generated, "rekeyd_client", "api").glob("*/*.py")
    assert {module.stem for module in modules} - {"__init__"} == described, described


def secrets_are_listed_and_read(client):
    listed = list_secrets.sync(client=client, sort=models.ListSecretsSort.NAME, limit=2)
    assert isinstance(listed, models.SecretList) and len(listed.secrets) == 2 and listed.next_offset == 2, listed
    secret = show_secret.sync(*listed.secrets[0].secret.split("/"), client=client)
    assert isinstance(secret, models.Secret) and isinstance(secret.state, models.SecretState), secret


def rotation_is_followed_to_its_end(client):
    key = str(uuid.uuid4())
    before = show_secret.sync("vault-1", "app-01", client=client)
    accepted = rotate.sync_detailed("vault-1", "app-01", client=client, idempotency_key=key)
    operation = accepted.parsed
    assert accepted.status_code == 202 and isinstance(operation, models.Operation), accepted
    assert accepted.headers["location"] == f"/api/v1/operations/{operation.id}", accepted.headers
    repeated = rotate.sync("vault-1", "app-01", client=client, idempotency_key=key, body=models.EmptyBody())
    assert repeated.id == operation.id, repeated
    until = time.monotonic() + PATIENCE
    while operation.state not in OVER and time.monotonic() < until:
        time.sleep(0.2)
        operation = show_operation.sync(operation.id, client=client)
    assert operation.state == models.OperationState.COMPLETED, operation
    assert operation.command == models.CommandKind.ROTATE, operation
    # The status names the new credential once the pass that published it has ended.
    after = show_secret.sync("vault-1", "app-01", client=client)
    while after.credential_id == before.credential_id and time.monotonic() < until:
        time.sleep(0.2)
        after = show_secret.sync("vault-1", "app-01", client=client)
    assert after.credential_id != before.credential_id, after
    listed = list_operations.sync(client=client)
    assert operation.id in {other.id for other in listed.operations}, listed


def errors_have_types(client):
    problem = show_secret.sync("vault-1", "not-there", client=client)
    assert isinstance(problem, models.Problem) and problem.status == 404, problem
    assert problem.type_ == "urn:rekeyd:problem:not-managed", problem
    stranger = AuthenticatedClient(base_url=address, token="wrong")
    refused = list_secrets.sync_detailed(client=stranger)
    assert refused.parsed.type_ == "urn:rekeyd:problem:unauthenticated", refused
    assert refused.headers["www-authenticate"] == "Bearer", refused.headers


def main():
    token = pathlib.Path(token_file).read_text().strip()
    client = AuthenticatedClient(base_url=address, token=token)
    checks = [every_route_is_generated, secrets_are_listed_and_read, rotation_is_followed_to_its_end, errors_have_types]
    failed = 0
    for check in checks:
        try:
            check(client)
        except Exception as error:
            failed += 1
            print(f"{check.__name__}: {type(error).__name__}: {error}", file=sys.stderr)
    print(f"client: {len(checks) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
