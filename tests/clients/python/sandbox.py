"""The sandbox that `with-sandbox` started, and Microsoft's clients pointed at it. Contains no tests and no assertions."""

import base64
import json
import os
from pathlib import Path

import requests
from azure.core.credentials import AccessToken
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

GRAPH_SCOPE = "https://graph.microsoft.com/.default"
VAULT_SCOPE = "https://vault.azure.net/.default"

# An id that does not exist.
UNKNOWN_ID = "11111111-2222-3333-4444-555555555555"

# The directory with `ca.pem`, `endpoints.json` and `rekeyd.toml`.
DIRECTORY = Path(os.environ["SANDBOX_DIR"])
ENDPOINTS = json.loads((DIRECTORY / "endpoints.json").read_text())

# Long enough for a busy machine; a response takes milliseconds.
PATIENCE = 30


def credential(client_id: str, secret: str, tenant: str = ENDPOINTS["tenant_id"], **options) -> ClientSecretCredential:
    """A credential of `azure-identity` for an application of the tenant."""
    entra = {"authority": ENDPOINTS["authority"], "disable_instance_discovery": True}
    return ClientSecretCredential(tenant, client_id, secret, **entra, **options)


# The identity with all permissions.
CLIENT = credential(ENDPOINTS["client"]["client_id"], ENDPOINTS["client"]["client_secret"])


def vault_url(name: str) -> str:
    return next(vault["url"] for vault in ENDPOINTS["vaults"] if vault["name"] == name)


def secrets(vault: str = "vault-1", identity=CLIENT, **options) -> SecretClient:
    """`azure-keyvault-secrets` on a vault. Without retries, which would hide the first response."""
    return SecretClient(vault_url(vault), identity, verify_challenge_resource=False, retry_total=0, **options)


def raw_vault(path: str, token: str | None = None, vault: str = "vault-1", **request) -> requests.Response:
    """A raw request to a vault."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    method = request.pop("method", "GET")
    return requests.request(method, vault_url(vault) + path, headers=headers, timeout=PATIENCE, **request)


def graph(method: str, path: str, body: object = None, identity=CLIENT) -> requests.Response:
    """A request to Graph, which has no client in this suite."""
    headers = {"authorization": f"Bearer {identity.get_token(GRAPH_SCOPE).token}"}
    url = f"{ENDPOINTS['graph']}/v1.0{path}"
    return requests.request(method, url, headers=headers, json=body, timeout=PATIENCE)


def application(name: str) -> dict:
    """An application of the initial world, `app-01` and so on. Each test uses a different one."""
    found = graph("GET", "/applications?$top=999").json()["value"]
    return next(one for one in found if one["displayName"] == f"Application of {name}")


def add_password(object_id: str, **password_credential) -> dict:
    answer = graph("POST", f"/applications/{object_id}/addPassword", {"passwordCredential": password_credential})
    answer.raise_for_status()
    return answer.json()


def remove_password(object_id: str, key_id: str) -> requests.Response:
    return graph("POST", f"/applications/{object_id}/removePassword", {"keyId": key_id})


def control(method: str, what: str, body: object = None) -> requests.Response:
    """A request to the sandbox's own controls."""
    url = f"{ENDPOINTS['controls']}/_sandbox/{what}"
    answer = requests.request(method, url, json=body, timeout=4 * PATIENCE)
    answer.raise_for_status()
    return answer


def advance(by: str) -> None:
    """Advances the sandbox's clock; returns when all its events have happened."""
    control("POST", "clock", {"advance": by})


def propagated() -> None:
    """Longer than any change takes to propagate: twice the longest `--propagation`."""
    advance("40s")


def claims(token: AccessToken) -> dict:
    payload = token.token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
