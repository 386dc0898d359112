// The sandbox that `with-sandbox` started, and Microsoft's clients pointed at it. Contains no tests and no assertions.

import { readFileSync } from 'node:fs';
import { ClientSecretCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import { ConfidentialClientApplication } from '@azure/msal-node';
import { Client } from '@microsoft/microsoft-graph-client';

export const GRAPH_SCOPE = 'https://graph.microsoft.com/.default';
export const VAULT_SCOPE = 'https://vault.azure.net/.default';

/** An id that does not exist. */
export const UNKNOWN_ID = '11111111-2222-3333-4444-555555555555';

/** The directory with `ca.pem`, `endpoints.json` and `rekeyd.toml`. */
export const directory = process.env.SANDBOX_DIR;
export const endpoints = JSON.parse(readFileSync(`${directory}/endpoints.json`, 'utf8'));

/** The options that point `@azure/identity` at the sandbox. */
export const entra = { authorityHost: endpoints.authority, disableInstanceDiscovery: true };

/** A credential of `@azure/identity` for an application of the tenant. */
export const credential = (clientId, secret, tenant = endpoints.tenant_id) =>
  new ClientSecretCredential(tenant, clientId, secret, entra);

/** The identity with all permissions. */
export const client = credential(endpoints.client.client_id, endpoints.client.client_secret);

/** `@azure/msal-node`, which keeps the number and the status of an Entra error. */
export const msal = (clientId, clientSecret, tenant = endpoints.tenant_id) =>
  new ConfidentialClientApplication({
    auth: {
      clientId,
      clientSecret,
      authority: `${endpoints.authority}/${tenant}`,
      knownAuthorities: [new URL(endpoints.authority).host],
    },
  });

/** Signs in with `@azure/msal-node`; rejects with its `ServerError`. */
export const signIn = (clientId, secret, scope = GRAPH_SCOPE) =>
  msal(clientId, secret).acquireTokenByClientCredential({ scopes: [scope] });

export const vaultUrl = (name) => endpoints.vaults.find((vault) => vault.name === name).url;

/** `@azure/keyvault-secrets` on a vault. Without retries, which would hide the first response. */
export const secrets = (vault = 'vault-1', options = {}, identity = client) =>
  new SecretClient(vaultUrl(vault), identity, {
    disableChallengeResourceVerification: true,
    retryOptions: { maxRetries: 0 },
    ...options,
  });

/** `@microsoft/microsoft-graph-client`. */
export const graph = (identity = client) =>
  Client.initWithMiddleware({
    authProvider: { getAccessToken: async () => (await identity.getToken(GRAPH_SCOPE)).token },
    baseUrl: endpoints.graph,
    customHosts: new Set([new URL(endpoints.graph).hostname]),
  });

/** An application of the initial world, `app-01` and so on. Each test uses a different one. */
export async function application(name) {
  const { value } = await graph().api('/applications').top(999).get();
  return value.find((found) => found.displayName === `Application of ${name}`);
}

/** A request to the sandbox's own controls; its JSON, if there is any. */
export async function control(method, what, body) {
  const answer = await fetch(`${endpoints.controls}/_sandbox/${what}`, { method, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${what}: ${answer.status} ${text}`);
  return text && JSON.parse(text);
}

/** The claims of a token. */
export const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

/** An identity without permissions: an application of the initial world, with a new password that has propagated. */
export async function unprivileged(name) {
  const { id, appId } = await application(name);
  const { secretText } = await graph().api(`/applications/${id}/addPassword`).post({});
  await propagated();
  // A new token for each request: new permissions have effect at once, and the sandbox's clock may have moved.
  const getToken = async (scopes) => {
    const { accessToken, expiresOn } = await signIn(appId, secretText, [scopes].flat()[0]);
    return { token: accessToken, expiresOnTimestamp: expiresOn.getTime() };
  };
  const { token } = await getToken(GRAPH_SCOPE);
  return { appId, principal: claims(token).oid, identity: { getToken } };
}

/** Advances the sandbox's clock; resolves when all its events have happened. */
export const advance = (by) => control('POST', 'clock', { advance: by });

/** Longer than any change takes to propagate: twice the longest `--propagation`. */
export const propagated = () => advance('40s');

/** The sandbox's time. */
export const now = async () => new Date((await control('GET', 'clock')).now);

/** A raw request to a vault; its JSON in `body`. */
export async function rawVault(path, { method = 'GET', token, headers = {}, body, vault = 'vault-1' } = {}) {
  const authorization = token ? { authorization: `Bearer ${token}` } : {};
  const answer = await fetch(`${vaultUrl(vault)}${path}`, {
    method,
    headers: { ...authorization, ...headers },
    body,
  });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

/** Returns the reason that a promise is rejected with; a success is an error here. */
export async function refusal(promise) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`expected a rejection, got ${JSON.stringify(value)}`);
}

/** All elements of an async iterable. */
export async function all(iterable) {
  const found = [];
  for await (const element of iterable) found.push(element);
  return found;
}

/** The code within the code of a Key Vault error. */
export const innerCode = (error) => error.details.error.innerError?.code;
