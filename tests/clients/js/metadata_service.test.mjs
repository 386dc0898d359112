// Managed identity on a machine: `@azure/identity` calls the metadata service at the address in the environment.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ManagedIdentityCredential } from '@azure/identity';

import { claims, control, endpoints, secrets, VAULT_SCOPE } from './sandbox.mjs';

process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST = endpoints.imds_endpoint;

const url = `${endpoints.imds_endpoint}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net`;

test('on a machine the identity signs in and opens a vault, although the service fails at first', async () => {
  await control('POST', 'managed-identity/troubles', { statuses: [503] });
  const identity = new ManagedIdentityCredential({ retryOptions: { retryDelayInMs: 1 } });
  const { appid, aud } = claims((await identity.getToken(VAULT_SCOPE)).token);
  assert.deepEqual([appid, aud], [endpoints.daemon.client_id, 'https://vault.azure.net']);
  assert.equal((await secrets('vault-1', {}, identity).getSecret('app-01')).name, 'app-01');
});

test('on a machine a user-assigned identity is named by its client id', async () => {
  const clientId = endpoints.client.client_id;
  const { token } = await new ManagedIdentityCredential({ clientId }).getToken(VAULT_SCOPE);
  assert.equal(claims(token).appid, clientId);
});

test('the metadata service answers with strings only', async () => {
  const answer = await (await fetch(url, { headers: { Metadata: 'true' } })).json();
  const expected = ['access_token', 'expires_in', 'expires_on', 'not_before', 'refresh_token', 'resource', 'token_type'];
  assert.deepEqual(Object.keys(answer).sort(), expected);
  for (const [name, value] of Object.entries(answer)) assert.equal(typeof value, 'string', name);
});

test('the metadata service refuses a request without its header with 400', async () => {
  const answer = await fetch(url);
  assert.equal(answer.status, 400);
  const error_description = 'Required metadata header not specified';
  assert.deepEqual(await answer.json(), { error: 'bad_request_102', error_description });
});

test('the metadata service refuses an unknown identity with 400', async () => {
  const answer = await fetch(`${url}&client_id=11111111-2222-3333-4444-555555555555`, { headers: { Metadata: 'true' } });
  assert.equal(answer.status, 400);
  assert.deepEqual(await answer.json(), { error: 'invalid_request', error_description: 'Identity not found' });
});
