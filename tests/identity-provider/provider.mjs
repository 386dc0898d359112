// An identity provider that shares no code with the daemon: oauth2-mock-server, with HTTPS on a port of loopback.
//
//     node provider.mjs KEY CERTIFICATE
//
// Prints {"issuer": URL} once it listens. Each line of its input is one of these commands, and is answered with one line:
//
//     {"claims": {…}, "header": {…}}   {"token": TEXT}: exactly these claims, and these fields of the header as well
//     {"rotate": true}                 {"kid": TEXT}: replaces the key by a new one
//     {"jwks": false}                  {"jwks": false}: its keys can't be read, until {"jwks": true}
//     {"pem": true}                    {"pem": TEXT}: its public key
//
// Ends with its input.

import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { HttpServer, OAuth2Issuer, OAuth2Service } from 'oauth2-mock-server';

const [key, cert] = process.argv.slice(2).map((file) => readFileSync(file));

let issuer;
let service;
let readable = true;

/** Replaces the issuer by one with the same name and a new key, because an issuer's key can't be removed. */
const renew = async (url) => {
  const renewed = new OAuth2Issuer();
  renewed.url = url;
  const { kid } = await renewed.keys.generate('RS256');
  [issuer, service] = [renewed, new OAuth2Service(renewed)];
  return kid;
};

/** Signs a token with exactly these claims, without the server's defaults, which depend on its own clock. */
const sign = (claims, header = {}) =>
  issuer.buildToken({
    scopesOrTransform: (head, payload) => {
      for (const claim of Object.keys(payload)) delete payload[claim];
      Object.assign(payload, claims);
      Object.assign(head, header);
    },
  });

const pem = () =>
  createPublicKey({ key: issuer.keys.toJSON()[0], format: 'jwk' }).export({ type: 'spki', format: 'pem' });

const obey = async (command) => {
  if (command.claims) return { token: await sign(command.claims, command.header) };
  if (command.rotate) return { kid: await renew(issuer.url) };
  if (command.pem) return { pem: pem() };
  if ('jwks' in command) return { jwks: (readable = command.jwks) };
  throw new Error(`no such command: ${JSON.stringify(command)}`);
};

const listener = (request, response) => {
  if (request.url === '/jwks' && !readable) response.writeHead(500).end();
  else service.requestHandler(request, response);
};

const server = new HttpServer(listener, { key, cert });
await server.start(0, '127.0.0.1');
await renew(`https://localhost:${server.address().port}`);
const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
answer({ issuer: issuer.url });
for await (const line of createInterface({ input: process.stdin })) answer(await obey(JSON.parse(line)));
// Exits explicitly, because keep-alive connections would keep the process running.
process.exit();
