// Signing in: Entra's responses as seen by `@azure/identity` and `@azure/msal-node`.

import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import test from 'node:test';

import {
  advance, application, claims, client, credential, endpoints, graph, msal, UNKNOWN_ID, now, propagated, refusal, secrets,
  signIn, GRAPH_SCOPE, VAULT_SCOPE,
} from './sandbox.mjs';

async function addPassword(id, passwordCredential = {}) {
  return graph().api(`/applications/${id}/addPassword`).post({ passwordCredential });
}

/** A request to the token endpoint as no client would send it. */
async function rawToken(form, tenant = endpoints.tenant_id) {
  const url = `${endpoints.authority}/${tenant}/oauth2/v2.0/token`;
  const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
  return { status: answer.status, body: await answer.json() };
}

const { client_id: clientId, client_secret: clientSecret } = endpoints.client;
const proof = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret };

test('an application signs in with the secret that Key Vault holds', async () => {
  const { appId } = await application('app-01');
  const { value } = await secrets('vault-1').getSecret('app-01');
  const before = Date.now();
  const token = await credential(appId, value).getToken(GRAPH_SCOPE);
  assert.equal(claims(token.token).appid, appId);
  assert.equal(token.tokenType, 'Bearer');
  const lifetime = (token.expiresOnTimestamp - before) / 1000;
  assert.ok(lifetime > 3590 && lifetime <= 3601, `${lifetime}`);
});

test('a token answer has integers and no refresh token', async () => {
  const { status, body } = await rawToken({ ...proof, scope: GRAPH_SCOPE });
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body).sort(), ['access_token', 'expires_in', 'ext_expires_in', 'token_type']);
  assert.equal(body.expires_in, 3599);
});

test('a wrong secret is refused with 401 and AADSTS7000215', async () => {
  const error = await refusal(signIn(clientId, 'wrong'));
  assert.equal(error.name, 'ServerError');
  assert.equal(error.errorCode, 'invalid_client');
  assert.equal(error.errorNo, 7000215);
  assert.equal(error.status, 401);
  const seen = await refusal(credential(clientId, 'wrong').getToken(GRAPH_SCOPE));
  assert.equal(seen.name, 'AuthenticationRequiredError');
  assert.match(seen.message, /AADSTS7000215: Invalid client secret provided\./);
});

test('an Entra error has all its members', async () => {
  const { body } = await rawToken({ ...proof, client_secret: 'wrong', scope: GRAPH_SCOPE });
  assert.match(body.error_description, /^AADSTS7000215: .*\r\nTrace ID: .*\r\nCorrelation ID: .*\r\nTimestamp: /s);
  assert.deepEqual(body.error_codes, [7000215]);
  assert.match(body.timestamp, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/);
  assert.ok(body.error_description.includes(body.trace_id));
  assert.ok(body.error_description.includes(body.correlation_id));
  assert.equal(body.error_uri, 'https://login.microsoftonline.com/error?code=7000215');
});

test('an expired secret is refused with 401 and AADSTS7000222', async () => {
  const { id, appId } = await application('app-02');
  const end = new Date((await now()).getTime() + 60 * 60 * 1000);
  const { secretText } = await addPassword(id, { endDateTime: end.toISOString() });
  await advance('30m');
  assert.ok((await signIn(appId, secretText)).accessToken);
  await advance('31m');
  const error = await refusal(signIn(appId, secretText));
  assert.equal(error.errorNo, 7000222);
  assert.equal(error.errorCode, 'invalid_client');
  assert.equal(error.status, 401);
  assert.match(error.errorMessage, /The provided client secret keys for app '.*' are expired\./);
});

test('an unknown application is refused with AADSTS700016', async () => {
  const error = await refusal(signIn(UNKNOWN_ID, 'any'));
  assert.equal(error.errorCode, 'unauthorized_client');
  assert.equal(error.errorNo, 700016);
  assert.equal(error.status, 400);
  const seen = await refusal(credential(UNKNOWN_ID, 'any').getToken(GRAPH_SCOPE));
  assert.match(seen.message, /AADSTS700016: Application with identifier/);
});

test('an unknown tenant is refused with AADSTS90002, before any secret is sent', async () => {
  const { status, body } = await rawToken({ ...proof, scope: GRAPH_SCOPE }, UNKNOWN_ID);
  assert.equal(status, 400);
  assert.equal(body.error, 'invalid_request');
  assert.deepEqual(body.error_codes, [90002]);
  const error = await refusal(msal(clientId, clientSecret, UNKNOWN_ID).acquireTokenByClientCredential({ scopes: [GRAPH_SCOPE] }));
  assert.equal(error.errorCode, 'endpoints_resolution_error');
  const seen = await refusal(credential(clientId, clientSecret, UNKNOWN_ID).getToken(GRAPH_SCOPE));
  assert.equal(seen.name, 'CredentialUnavailableError');
});

test('an unknown resource is refused with AADSTS500011, a malformed scope with AADSTS70011', async () => {
  const error = await refusal(signIn(clientId, clientSecret, 'https://nothing.example/.default'));
  assert.equal(error.errorCode, 'invalid_resource');
  assert.equal(error.errorNo, 500011);
  const malformed = await refusal(signIn(clientId, clientSecret, 'User.Read'));
  assert.equal(malformed.errorCode, 'invalid_scope');
  assert.equal(malformed.errorNo, 70011);
});

test('a client without proof is refused with AADSTS7000218', async () => {
  const { client_secret: _, ...unproved } = proof;
  const { status, body } = await rawToken({ ...unproved, scope: GRAPH_SCOPE });
  assert.equal(status, 401);
  assert.deepEqual(body.error_codes, [7000218]);
});

test('a fresh password is refused as wrong until it has propagated', async () => {
  const { id, appId } = await application('app-03');
  const { secretText } = await addPassword(id);
  const error = await refusal(signIn(appId, secretText));
  assert.equal(error.errorNo, 7000215);
  await propagated();
  const { accessToken } = await signIn(appId, secretText);
  assert.equal(claims(accessToken).appid, appId);
});

test('a removed password is refused as wrong once that has propagated', async () => {
  const { id, appId } = await application('app-04');
  const { keyId, secretText } = await addPassword(id);
  await propagated();
  assert.ok(await signIn(appId, secretText));
  await graph().api(`/applications/${id}/removePassword`).post({ keyId });
  await propagated();
  assert.equal((await refusal(signIn(appId, secretText))).errorNo, 7000215);
});

test('a token for a resource by its address has the claims of version 1', async () => {
  const { token } = await client.getToken(VAULT_SCOPE);
  const { aud, ver, iss, appid, appidacr, azp, oid, sub, tid, uti } = claims(token);
  assert.deepEqual({ aud, ver, appid, appidacr, azp }, {
    aud: 'https://vault.azure.net', ver: '1.0', appid: clientId, appidacr: '1', azp: undefined,
  });
  assert.equal(iss, `https://sts.windows.net/${endpoints.tenant_id}/`);
  assert.equal(tid, endpoints.tenant_id);
  assert.ok(oid === sub && oid !== appid && uti);
});

test('a token for a resource by its application id has the claims of version 2', async () => {
  const { appId } = await application('app-01');
  const { accessToken } = await signIn(clientId, clientSecret, `${appId}/.default`);
  const { aud, ver, iss, appid, azp, azpacr } = claims(accessToken);
  assert.deepEqual({ aud, ver, appid, azp, azpacr }, {
    aud: appId, ver: '2.0', appid: undefined, azp: clientId, azpacr: '1',
  });
  assert.ok(iss.endsWith(`/${endpoints.tenant_id}/v2.0`), iss);
});

test('a token is signed with a key that the discovery document leads to', async () => {
  const base = `${endpoints.authority}/${endpoints.tenant_id}`;
  const discovery = await (await fetch(`${base}/v2.0/.well-known/openid-configuration`)).json();
  assert.equal(discovery.token_endpoint, `${base}/oauth2/v2.0/token`);
  assert.equal(discovery.jwks_uri, `${base}/discovery/v2.0/keys`);
  const { keys } = await (await fetch(discovery.jwks_uri)).json();
  const { token } = await client.getToken(GRAPH_SCOPE);
  const [header, body, signature] = token.split('.');
  const { kid, alg } = JSON.parse(Buffer.from(header, 'base64url'));
  const key = createPublicKey({ key: keys.find((found) => found.kid === kid), format: 'jwk' });
  assert.equal(alg, 'RS256');
  assert.ok(verify('sha256', Buffer.from(`${header}.${body}`), key, Buffer.from(signature, 'base64url')));
});

test('the token endpoint of version 1 accepts a resource and returns numbers as strings', async () => {
  const url = `${endpoints.authority}/${endpoints.tenant_id}/oauth2/token`;
  const body = new URLSearchParams({ ...proof, resource: 'https://vault.azure.net' });
  const answer = await (await fetch(url, { method: 'POST', body })).json();
  for (const name of ['expires_in', 'ext_expires_in', 'expires_on', 'not_before', 'resource', 'token_type']) {
    assert.equal(typeof answer[name], 'string', name);
  }
  assert.equal(claims(answer.access_token).aud, 'https://vault.azure.net');
});

test('a token repeats the capability that the client claims', async () => {
  const wanted = JSON.stringify({ access_token: { xms_cc: { values: ['CP1'] } } });
  const { body } = await rawToken({ ...proof, scope: GRAPH_SCOPE, claims: wanted });
  assert.deepEqual(claims(body.access_token).xms_cc, ['CP1']);
  assert.equal(claims((await rawToken({ ...proof, scope: GRAPH_SCOPE })).body.access_token).xms_cc, undefined);
});

test('a secret is accepted as HTTP Basic too', async () => {
  const url = `${endpoints.authority}/${endpoints.tenant_id}/oauth2/v2.0/token`;
  const pair = [clientId, clientSecret].map(encodeURIComponent).join(':');
  const headers = { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
  const body = new URLSearchParams({ grant_type: 'client_credentials', scope: GRAPH_SCOPE });
  assert.equal((await fetch(url, { method: 'POST', headers, body })).status, 200);
});

test('a malformed tenant is refused with AADSTS900023', async () => {
  const { status, body } = await rawToken({ ...proof, scope: GRAPH_SCOPE }, 'no_tenant');
  assert.deepEqual([status, body.error, body.error_codes], [400, 'invalid_request', [900023]]);
});

test('roles are in a token only if some were granted', async () => {
  const { appId } = await application('app-01');
  const { value } = await secrets('vault-1').getSecret('app-01');
  assert.equal(claims((await credential(appId, value).getToken(GRAPH_SCOPE)).token).roles, undefined);
  const { roles } = claims((await client.getToken(GRAPH_SCOPE)).token);
  assert.ok(roles.includes('Application.ReadWrite.All'), roles);
});
