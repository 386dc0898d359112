// Managed identity in App Service: `@azure/identity` finds its endpoint in the environment, once for a process.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ManagedIdentityCredential } from '@azure/identity';

import { claims, endpoints, secrets, GRAPH_SCOPE, VAULT_SCOPE } from './sandbox.mjs';

process.env.IDENTITY_ENDPOINT = endpoints.identity_endpoint;
process.env.IDENTITY_HEADER = endpoints.identity_header;

const url = `${endpoints.identity_endpoint}?api-version=2019-08-01&resource=https://vault.azure.net`;

test('in App Service the system-assigned identity signs in and opens a vault', async () => {
  const identity = new ManagedIdentityCredential();
  const { token } = await identity.getToken(VAULT_SCOPE);
  const { appid, appidacr, aud } = claims(token);
  assert.deepEqual([appid, appidacr, aud], [endpoints.daemon.client_id, '2', 'https://vault.azure.net']);
  assert.equal((await secrets('vault-1', {}, identity).getSecret('app-01')).name, 'app-01');
});

test('in App Service a user-assigned identity is named by its client id', async () => {
  const clientId = endpoints.client.client_id;
  const { token } = await new ManagedIdentityCredential({ clientId }).getToken(GRAPH_SCOPE);
  assert.equal(claims(token).appid, clientId);
});

test('in App Service a token answer has strings only', async () => {
  const headers = { 'x-identity-header': endpoints.identity_header };
  const answer = await (await fetch(url, { headers })).json();
  const expected = ['access_token', 'client_id', 'expires_on', 'resource', 'token_type'];
  assert.deepEqual(Object.keys(answer).sort(), expected);
  for (const [name, value] of Object.entries(answer)) assert.equal(typeof value, 'string', name);
});

test('in App Service a wrong header is refused with 401', async () => {
  for (const headers of [{}, { 'x-identity-header': 'wrong' }]) {
    assert.equal((await fetch(url, { headers })).status, 401);
  }
});
