// Signing in without a secret: assertions of a trusted issuer, and keys that roll over.

import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import test from 'node:test';
import { ClientAssertionCredential } from '@azure/identity';

import { application, claims, control, credential, endpoints, entra, refusal, secrets, GRAPH_SCOPE } from './sandbox.mjs';

const ISSUER = 'https://issuer.example';
const SUBJECT = 'system:serviceaccount:default:rekeyd';
const AUDIENCE = 'api://AzureADTokenExchange';
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const encoded = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');

function assertion(changes = {}, key = privateKey) {
  const now = Math.floor(Date.now() / 1000);
  const body = { iss: ISSUER, sub: SUBJECT, aud: AUDIENCE, nbf: now - 60, exp: now + 600, ...changes };
  const text = `${encoded({ alg: 'RS256', typ: 'JWT', kid: 'test' })}.${encoded(body)}`;
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

/** The service identity, whose tokens and assertions use the clock of this machine. */
const { client_id: clientId } = endpoints.daemon;

const federated = (made) =>
  new ClientAssertionCredential(endpoints.tenant_id, clientId, async () => made, entra).getToken(GRAPH_SCOPE);

test('an assertion of a trusted issuer signs in', async () => {
  const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'test', use: 'sig' }];
  const trust = { client_id: clientId, issuer: ISSUER, subject: SUBJECT, audience: AUDIENCE, keys: { keys } };
  await control('PUT', 'federated-credentials', trust);
  const { appid, appidacr } = claims((await federated(assertion())).token);
  assert.deepEqual([appid, appidacr], [clientId, '2']);
});

test('an assertion with another subject or audience, too late or forged is refused', async () => {
  const forger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const cases = [
    [assertion({ iss: 'https://other.example' }), 700211],
    [assertion({ sub: 'other' }), 700213],
    [assertion({ aud: 'other' }), 700212],
    [assertion({ exp: Math.floor(Date.now() / 1000) - 60 }), 700024],
    [assertion({}, forger), 50012],
  ];
  for (const [made, code] of cases) {
    const error = await refusal(federated(made));
    assert.equal(error.name, 'AuthenticationRequiredError');
    assert.match(error.message, new RegExp(`AADSTS${code}:`));
  }
});

test('after a rollover tokens are signed with a new key, and the old key stays known', async () => {
  const { appId } = await application('app-01');
  const { value } = await secrets('vault-1').getSecret('app-01');
  const keyOf = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;
  const token = async () => (await credential(appId, value).getToken(GRAPH_SCOPE)).token;
  const before = await token();
  await control('POST', 'keys/rollover', {});
  const after = await token();
  assert.notEqual(keyOf(before), keyOf(after));
  const url = `${endpoints.authority}/${endpoints.tenant_id}/discovery/v2.0/keys`;
  const { keys } = await (await fetch(url)).json();
  for (const made of [before, after]) {
    const [header, body, signature] = made.split('.');
    const jwk = keys.find(({ kid }) => kid === keyOf(made));
    assert.deepEqual([jwk.kty, jwk.use], ['RSA', 'sig']);
    assert.ok(jwk.x5t && jwk.x5c.length === 1);
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    assert.ok(verify('sha256', Buffer.from(`${header}.${body}`), key, Buffer.from(signature, 'base64url')));
  }
});
